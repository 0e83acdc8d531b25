"""DataSessionService: sessions on replays and live feeds, opened, looked at and kept in step."""

from qmtl.core.errors import refused
from qmtl.core.roles import Role
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.data.v1 import data_sessions_pb2 as datasessionspb
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.wire.instants import ns_to_proto
from seamless.artifacts.inventory import Inventory
from seamless.domain.sessions.playback import Replay
from seamless.domain.sessions.requests import SessionRequest
from seamless.live.sessions import LiveSessions
from seamless.live.store import LiveSession
from seamless.recordings.recorder import Recorder
from seamless.replay.sessions import ReplaySessions
from seamless.replay.wire import live_to_proto, open_from_proto, recordings_to_proto, replay_to_proto
from seamless.wire import ns_from_proto


class DataSessionServicer(datasessionrpc.DataSessionServiceServicer):
    """Sessions of the calling user's worlds."""

    def __init__(
        self,
        inventory: Inventory,
        sessions: ReplaySessions,
        live: LiveSessions,
        roles: WorldRoles,
        recorder: Recorder,
    ) -> None:
        self._recorder = recorder
        self._inventory = inventory
        self._sessions = sessions
        self._live = live
        self._roles = roles

    async def OpenDataSession(
        self, request: datasessionservicepb.OpenDataSessionRequest, context: object
    ) -> datasessionservicepb.OpenDataSessionResponse:
        asked = open_from_proto(request)
        await self._roles.require(asked.world_id, Role.OPERATOR)
        if request.recordings:
            return datasessionservicepb.OpenDataSessionResponse(session=await self._play(request, asked))
        universe = self._inventory.presets.universe(request.preset)
        for preset in universe.members:
            self._inventory.presets.serving(preset.name)
        if universe.live:
            opened = await self._live.open(universe, asked)
            return datasessionservicepb.OpenDataSessionResponse(session=self._session(opened))
        for preset in universe.members:
            self._inventory.require_ready(preset)
        replay = await self._sessions.open(universe, asked)
        return datasessionservicepb.OpenDataSessionResponse(session=self._session(replay))

    async def _play(
        self, request: datasessionservicepb.OpenDataSessionRequest, asked: SessionRequest
    ) -> datasessionspb.DataSession:
        """A replay of what another session was told; who may read that session may play it."""
        recording = await self._recorder.recording(request.recordings, request.recorded_session_id, self._find)
        await self._roles.require(recording.world_id, Role.READER)
        if request.preset not in ("", recording.preset):
            raise refused(
                "E_DATA_SESSION", "preset", request.preset, f"{recording.preset}, which was recorded, or none"
            )
        return self._session(await self._sessions.play_recording(recording, asked))

    async def GetDataSession(
        self, request: datasessionservicepb.GetDataSessionRequest, context: object
    ) -> datasessionservicepb.GetDataSessionResponse:
        found = await self._find(request.session_id)
        await self._roles.require(found.world_id, Role.READER)
        told = self._session(found)
        if isinstance(found, LiveSession):
            told.recordings.extend(recordings_to_proto(await self._recorder.sealed(found.session_id)))
        return datasessionservicepb.GetDataSessionResponse(session=told)

    async def ConfirmBars(
        self, request: datasessionservicepb.ConfirmBarsRequest, context: object
    ) -> datasessionservicepb.ConfirmBarsResponse:
        session = await self._find(request.session_id)
        await self._roles.require(session.world_id, Role.OPERATOR)
        through_ns = ns_from_proto(request.through, "through")
        if isinstance(session, LiveSession):  # it waits for nobody
            watermark_ns = self._live.clock_of(session).confirmed(through_ns)
            return datasessionservicepb.ConfirmBarsResponse(watermark=ns_to_proto(watermark_ns))
        player = await self._sessions.player(request.session_id)
        player.confirm(request.follower, through_ns)
        if request.leave:
            await self._sessions.left(request.session_id, request.follower)
            player.leave(request.follower)
        return datasessionservicepb.ConfirmBarsResponse(watermark=ns_to_proto(player.replay.watermark_ns))

    async def SealRecording(
        self, request: datasessionservicepb.SealRecordingRequest, context: object
    ) -> datasessionservicepb.SealRecordingResponse:
        found = await self._find(request.session_id)
        await self._roles.require(found.world_id, Role.OPERATOR)
        if isinstance(found, LiveSession):
            sealed = await self._recorder.seal_live(found.session_id, final=bool(found.closed_at_ns))
        else:
            sealed = await self._recorder.seal_replay(found, self._sessions.bars)
        return datasessionservicepb.SealRecordingResponse(recordings=recordings_to_proto(sealed))

    async def CloseDataSession(
        self, request: datasessionservicepb.CloseDataSessionRequest, context: object
    ) -> datasessionservicepb.CloseDataSessionResponse:
        found = await self._find(request.session_id)
        await self._roles.require(found.world_id, Role.OPERATOR)
        if isinstance(found, LiveSession):
            await self._live.close(request.session_id)
            sealed = await self._recorder.seal_live(request.session_id, final=True)
            closed = self._session(await self._find(request.session_id))
            closed.recordings.extend(recordings_to_proto(sealed))
        else:
            closed = self._session(await self._sessions.close(request.session_id))
        return datasessionservicepb.CloseDataSessionResponse(session=closed)

    async def _find(self, session_id: str) -> Replay | LiveSession:
        """A session of either kind. Raises NotFound (E_DATA_SESSION_UNKNOWN)."""
        return await self._live.find(session_id) or await self._sessions.find(session_id)

    def _session(self, session: Replay | LiveSession) -> datasessionspb.DataSession:
        if isinstance(session, LiveSession):
            clock, now = self._live.clock_of(session), self._inventory.presets.members_of(session.preset)
            return live_to_proto(session, clock, now)
        return replay_to_proto(session, self._sessions.waiting_for(session.session_id))
