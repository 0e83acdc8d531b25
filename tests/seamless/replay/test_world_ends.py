"""Sessions of a deleted world are closed; those of worlds that stand, are unknown or cannot be asked about are not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from qmtl.config.settings import MeshSettings, ServiceSettings
from qmtl.core.clock import SystemClock
from qmtl.core.errors import NotFound
from qmtl.rpc.auth.tokens import mint_service_token
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.client.channel import connect
from qmtl.rpc.server.server import Server
from qmtl.sql.database import Database
from qmtl.world.v1 import world_pb2 as worldpb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from qmtl.world.v1 import world_service_pb2_grpc as worldrpc
from seamless.config import Settings
from seamless.domain.sessions.requests import SessionRequest
from seamless.live.sessions import LiveSessions
from seamless.metrics import SeamlessMetrics
from seamless.replay.sessions import ReplaySessions
from seamless.replay.world_ends import WorldEnds
from tests.seamless.asking import DEMO
from tests.seamless.serving import Seamless


class Worlds(worldrpc.WorldServiceServicer):
    """worldservice as far as it is asked here."""

    def __init__(self) -> None:
        self.states = {"stands": worldpb.WORLD_STATE_ACTIVE, "gone": worldpb.WORLD_STATE_ACTIVE}

    async def GetWorld(
        self, request: worldservicepb.GetWorldRequest, context: object
    ) -> worldservicepb.GetWorldResponse:
        if request.world_id not in self.states:
            raise NotFound("E_WORLD_UNKNOWN", request.world_id)
        world = worldpb.World(world_id=request.world_id, state=self.states[request.world_id])
        return worldservicepb.GetWorldResponse(world=world)


@asynccontextmanager
async def worldservice(home: Path, worlds: Worlds) -> AsyncIterator[worldrpc.WorldServiceAsyncStub]:
    """A server with the real doorkeeper, as seamless calls it."""
    settings = ServiceSettings(service="worldservice", mesh=MeshSettings(home=home), bind="127.0.0.1:0")
    authenticator = Authenticator.from_settings(settings)
    server = Server(settings, service="worldservice", authenticator=authenticator, clock=SystemClock())
    server.add(
        worldrpc.add_WorldServiceServicer_to_server, worlds, worldservicepb.DESCRIPTOR.services_by_name["WorldService"]
    )
    token = mint_service_token(home, "seamless")
    try:
        async with connect(f"127.0.0.1:{await server.start()}", service_token=lambda: token) as channel:
            yield worldrpc.WorldServiceStub(channel)
    finally:
        await server.stop(0)


async def test_sessions_are_closed_with_their_world(seamless: Seamless, db: Database, tmp_path: Path) -> None:
    settings = Settings(mesh=MeshSettings(home=tmp_path))
    sessions = ReplaySessions(seamless.inventory, db, SystemClock(), settings, SeamlessMetrics(CollectorRegistry()))
    preset, worlds = seamless.inventory.presets.universe(DEMO), Worlds()  # type: ignore[abstract]  # nothing else is asked
    for world in ("gone", "stands", "unknown"):
        for number in range(2):
            await sessions.open(preset, SessionRequest(f"{world}-{number}", world, None, timedelta(days=1), 0.0))
    async with worldservice(tmp_path, worlds) as stub:
        ends = WorldEnds(sessions, LiveSessions({}, seamless.inventory, db, SystemClock()), stub, SystemClock())
        assert await ends.look() == 0
        worlds.states["gone"] = worldpb.WORLD_STATE_DELETED
        assert [await ends.look(), await ends.look()] == [2, 0]
    assert await sessions.worlds() == ["stands", "unknown"]
    assert (await sessions.find("gone-1")).finished
