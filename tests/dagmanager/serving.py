"""A DAG Manager on a loopback port, composed as its main composes it, with channels of several callers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from google.protobuf.duration_pb2 import Duration

from dagmanager.__main__ import compose
from dagmanager.config import Settings
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.config.settings import MeshSettings, ServiceSettings
from qmtl.core.clock import SystemClock
from qmtl.core.errors import NotFound
from qmtl.core.identity.nodes import DagNode
from qmtl.core.modes import ComputeContext
from qmtl.core.roles import Role
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.dag.v1 import queue_pb2 as queuepb
from qmtl.rpc.auth.call import require_user
from qmtl.rpc.auth.tokens import ensure_service_token, mint_service_token, mint_user_token
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.client.channel import connect
from qmtl.rpc.run import Runtime
from qmtl.rpc.server.server import Server
from qmtl.wire import contexts as contexts_wire
from qmtl.wire import graph
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc
from tests.dagmanager.graphs import context
from tests.dagmanager.stubs import DagStubs
from tests.support.shared.stores import lay_store
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


class Grants:
    """Roles by world and subject."""

    def __init__(self) -> None:
        self.roles: dict[str, dict[str, Role]] = {}


class World(accessrpc.AccessServiceServicer):
    """worldservice as far as it is asked here."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants

    async def GetEffectiveRole(
        self, request: accessservicepb.GetEffectiveRoleRequest, context: object
    ) -> accessservicepb.GetEffectiveRoleResponse:
        if request.world_id not in self._grants.roles:
            raise NotFound("E_WORLD_UNKNOWN", request.world_id)
        identity = require_user()
        role = max(identity.role, self._grants.roles[request.world_id].get(identity.subject, Role.NONE))
        return accessservicepb.GetEffectiveRoleResponse(role=commonpb.Role.Name(int(role)))


class Served:
    """The service, and stubs of those who call it. `grants`: the worldservice beside it, if one runs."""

    def __init__(self, home: Path, port: int, grants: Grants | None = None) -> None:
        self.home = home
        self.address = f"127.0.0.1:{port}"
        self.grants = grants or Grants()

    @asynccontextmanager
    async def stub(
        self, service: str | None = "gateway", role: Role | None = None, worlds: Sequence[str] | None = None
    ) -> AsyncIterator[DagStubs]:
        """A stub with a service's token, a user's, or both."""
        as_service = mint_service_token(self.home, service) if service else None
        as_user = mint_user_token(self.home, role, "alice", worlds) if role is not None else None
        async with connect(
            self.address,
            service_token=(lambda: as_service) if as_service else None,
            user_token=(lambda: as_user) if as_user else None,
        ) as channel:
            yield DagStubs.over(channel)


@asynccontextmanager
async def serving(home: Path, nats_url: str) -> AsyncIterator[Served]:
    """Start, serve, stop."""
    grants = Grants()
    async with worldservice(home, grants) as address:
        mesh = MeshSettings(home=home, nats_url=nats_url, addresses={"worldservice": address})
        async with running(Settings(mesh=mesh, bind="127.0.0.1:0")) as port:
            yield Served(home, port, grants)


@asynccontextmanager
async def worldservice(home: Path, grants: Grants) -> AsyncIterator[str]:
    """A server with the real doorkeeper before these grants; its address."""
    settings = ServiceSettings(service="worldservice", mesh=MeshSettings(home=home), bind="127.0.0.1:0")
    clock = SystemClock()
    authenticator = Authenticator.from_settings(settings, clock)
    server = Server(settings, service="worldservice", authenticator=authenticator, clock=clock)
    descriptor = accessservicepb.DESCRIPTOR.services_by_name["AccessService"]
    world = World(grants)  # type: ignore[abstract]  # nothing else is asked of it
    server.add(accessrpc.add_AccessServiceServicer_to_server, world, descriptor)
    try:
        yield f"127.0.0.1:{await server.start()}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[int]:
    """The service in this process; its port."""
    ensure_service_token(settings.mesh.home, "dagmanager")
    lay_store(settings.database_url, "dagmanager")
    runtime = Announced(settings)
    task = asyncio.create_task(compose(runtime, settings))
    either: list[asyncio.Future[None] | asyncio.Future[int]] = [task, runtime.port]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    try:
        yield runtime.port.result()
    finally:
        runtime.stop()
        await task
        await runtime.close()


def diff_request(
    nodes: Sequence[DagNode], request_id: str, strategy_id: str, contexts: Sequence[ComputeContext] = (context(),)
) -> diffpb.DiffQuestion:
    """A request as the gateway makes it."""
    return diffpb.DiffQuestion(
        request_id=request_id,
        strategy_id=strategy_id,
        dag=dagpb.Dag(nodes=[graph.node_to_proto(node) for node in nodes]),
        contexts=[contexts_wire.context_to_proto(each) for each in contexts],
    )


def asking(question: diffpb.DiffQuestion) -> Chunked[diffservicepb.DiffRequest]:
    """A question as Diff takes it."""
    return Chunked(diffservicepb.DiffRequest, question)


async def chunks(stub: DagStubs, request: diffpb.DiffQuestion) -> list[diffpb.DiffChunk]:
    return [reply.chunk async for reply in stub.diffs.Diff(asking(request))]


def tag_query(world_id: str) -> queuepb.TagQuery:
    return queuepb.TagQuery(
        tags=["btc"], match_mode=queuepb.MATCH_MODE_ANY, interval=Duration(seconds=900), world_id=world_id
    )
