"""DataSessionService: replay sessions, opened, looked at and kept in step."""

from qmtl.core.roles import Role
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.data.v1 import data_sessions_pb2 as datasessionspb
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.wire.instants import ns_to_proto
from seamless.artifacts.inventory import Inventory
from seamless.domain.playback import Replay
from seamless.replay.sessions import ReplaySessions
from seamless.replay.wire import open_from_proto, replay_to_proto
from seamless.wire import ns_from_proto


class DataSessionServicer(datasessionrpc.DataSessionServiceServicer):
    """Sessions of the calling user's worlds."""

    def __init__(self, inventory: Inventory, sessions: ReplaySessions, roles: WorldRoles) -> None:
        self._inventory = inventory
        self._sessions = sessions
        self._roles = roles

    async def OpenDataSession(
        self, request: datasessionservicepb.OpenDataSessionRequest, context: object
    ) -> datasessionservicepb.OpenDataSessionResponse:
        asked = open_from_proto(request)
        await self._roles.require(asked.world_id, Role.OPERATOR)
        preset = self._inventory.presets.named(request.preset)
        self._inventory.presets.serving(preset.name)
        self._inventory.require_ready(preset)
        replay = await self._sessions.open(preset, asked)
        return datasessionservicepb.OpenDataSessionResponse(session=self._session(replay))

    async def GetDataSession(
        self, request: datasessionservicepb.GetDataSessionRequest, context: object
    ) -> datasessionservicepb.GetDataSessionResponse:
        replay = await self._sessions.find(request.session_id)
        await self._roles.require(replay.world_id, Role.READER)
        return datasessionservicepb.GetDataSessionResponse(session=self._session(replay))

    async def ConfirmBars(
        self, request: datasessionservicepb.ConfirmBarsRequest, context: object
    ) -> datasessionservicepb.ConfirmBarsResponse:
        session = await self._sessions.find(request.session_id)
        await self._roles.require(session.world_id, Role.OPERATOR)
        through_ns = ns_from_proto(request.through, "through")
        player = await self._sessions.player(request.session_id)
        player.confirm(request.follower, through_ns)
        if request.leave:
            await self._sessions.left(request.session_id, request.follower)
            player.leave(request.follower)
        return datasessionservicepb.ConfirmBarsResponse(watermark=ns_to_proto(player.replay.watermark_ns))

    async def CloseDataSession(
        self, request: datasessionservicepb.CloseDataSessionRequest, context: object
    ) -> datasessionservicepb.CloseDataSessionResponse:
        replay = await self._sessions.find(request.session_id)
        await self._roles.require(replay.world_id, Role.OPERATOR)
        return datasessionservicepb.CloseDataSessionResponse(
            session=self._session(await self._sessions.close(request.session_id))
        )

    def _session(self, replay: Replay) -> datasessionspb.DataSession:
        return replay_to_proto(replay, self._sessions.waiting_for(replay.session_id))
