"""A DAG Manager on a loopback port, composed as its main composes it, with channels of several callers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from dagmanager.__main__ import compose
from dagmanager.config import Settings
from qmtl.core.dag import DagNode
from qmtl.core.modes import ComputeContext
from qmtl.core.settings import MeshSettings
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import service_pb2 as pb
from qmtl.dag.v1 import service_pb2_grpc as rpc
from qmtl.rpc.auth import Role, mint_service_token, mint_user_token
from qmtl.rpc.channel import connect
from qmtl.rpc.run import Runtime
from qmtl.rpc.server import Server
from qmtl.wire import graph, words
from tests.dagmanager.graphs import context
from tests.support.waiting import eventually


class Announced(Runtime):
    """A runtime that says on which port it serves."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, "dagmanager")
        self.port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def serve(self, server: Server, grace_s: float = 5.0) -> None:
        waiting = asyncio.create_task(self._announce(server))
        try:
            await super().serve(server, grace_s)
        finally:
            waiting.cancel()

    async def _announce(self, server: Server) -> None:
        await eventually(lambda: server.port != 0)
        self.port.set_result(server.port)


class Served:
    """The service, and stubs of those who call it."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.address = f"127.0.0.1:{port}"

    @asynccontextmanager
    async def stub(
        self, service: str | None = "gateway", role: Role | None = None, worlds: Sequence[str] | None = None
    ) -> AsyncIterator[rpc.DagManagerServiceAsyncStub]:
        """A stub with a service's token, a user's, or both."""
        as_service = mint_service_token(self.home, service) if service else None
        as_user = mint_user_token(self.home, role, "alice", worlds) if role is not None else None
        async with connect(
            self.address,
            service_token=(lambda: as_service) if as_service else None,
            user_token=(lambda: as_user) if as_user else None,
        ) as channel:
            yield rpc.DagManagerServiceStub(channel)


@asynccontextmanager
async def serving(home: Path, nats_url: str) -> AsyncIterator[Served]:
    """Start, serve, stop."""
    settings = Settings(mesh=MeshSettings(home=home, nats_url=nats_url), bind="127.0.0.1:0")
    runtime = Announced(settings)
    running = asyncio.create_task(compose(runtime, settings))
    either: list[asyncio.Future[None] | asyncio.Future[int]] = [running, runtime.port]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        await running
    try:
        yield Served(home, runtime.port.result())
    finally:
        runtime.stop()
        await running
        await runtime.close()


def diff_request(
    nodes: Sequence[DagNode], request_id: str, strategy_id: str, contexts: Sequence[ComputeContext] = (context(),)
) -> pb.DiffRequest:
    """A request as the gateway makes it."""
    return pb.DiffRequest(
        request_id=request_id,
        strategy_id=strategy_id,
        dag=dagpb.Dag(nodes=[graph.node_to_proto(node) for node in nodes]),
        contexts=[words.context_to_proto(each) for each in contexts],
    )
