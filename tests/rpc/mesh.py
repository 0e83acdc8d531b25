"""What the tests of this room compose: a home with keys, servers on loopback, channels with tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from grpc import aio
from grpc_health.v1 import health_pb2 as healthpb

from qmtl.config.settings import MeshSettings, ServiceSettings
from qmtl.core.clock import Clock, SystemClock
from qmtl.core.roles import Role
from qmtl.reflection.v1 import reflection_pb2 as reflectionpb
from qmtl.rpc.auth.identity import TokenSource
from qmtl.rpc.auth.tokens import mint_service_token, mint_user_token
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.client.channel import MeshChannel, connect
from qmtl.rpc.server.inbound import Limits
from qmtl.rpc.server.server import Server
from qmtl.rpc.telemetry.metrics import Metrics
from tests.rpc.echo import Act, Echo, EchoStub, add_echo, service


def settings_of(home: Path, name: str = "dagmanager") -> ServiceSettings:
    """Settings of a service on any free port."""
    return ServiceSettings(service=name, mesh=MeshSettings(home=home), bind="127.0.0.1:0")


def user(home: Path, role: Role = Role.OPERATOR, worlds: list[str] | None = None) -> TokenSource:
    """A user's token source."""
    token = mint_user_token(home, role, "alice", worlds)
    return lambda: token


def peer(home: Path, name: str = "gateway") -> TokenSource:
    """A service's token source."""
    token = mint_service_token(home, name)
    return lambda: token


async def shout(text: str) -> str:
    """The default act."""
    return text.upper()


class Mesh:
    """Starts servers and opens channels; all are closed when the test ends."""

    def __init__(self, home: Path, stack: AsyncExitStack) -> None:
        self.home = home
        self.stack = stack
        self.metrics = Metrics()

    async def serve(
        self,
        act: Act = shout,
        *,
        name: str = "dagmanager",
        limits: Limits | None = None,
        clock: Clock | None = None,
        planned: Mapping[str, str] | None = None,
        settings: ServiceSettings | None = None,
        servicer: Echo | None = None,
    ) -> Server:
        """A started server with an Echo."""
        settings = settings or settings_of(self.home, name)
        clock = clock or SystemClock()
        server = Server(
            settings,
            service=name,
            authenticator=Authenticator.from_settings(settings, clock),
            clock=clock,
            metrics=self.metrics,
            limits=limits,
        )
        server.add(add_echo, servicer or Echo(act), service(), planned or {})
        self.stack.push_async_callback(server.stop, 0.0)
        await server.start()
        return server

    async def channel(
        self, server: Server, *, as_user: TokenSource | None = None, as_service: TokenSource | None = None
    ) -> MeshChannel:
        """A channel with exactly these tokens."""
        channel = connect(
            f"127.0.0.1:{server.port}", user_token=as_user, service_token=as_service, metrics=self.metrics
        )
        return await self.stack.enter_async_context(channel)

    async def stub(self, server: Server) -> EchoStub:
        """A stub with the tokens every PUBLIC call needs: a user's and a service's."""
        return EchoStub(await self.channel(server, as_user=user(self.home), as_service=peer(self.home)))


@asynccontextmanager
async def running_mesh(home: Path) -> AsyncIterator[Mesh]:
    """A mesh for one test."""
    async with AsyncExitStack() as stack:
        yield Mesh(home, stack)


class Gate:
    """Lets a test hold a handler still and see that it got there."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def wait(self, text: str) -> str:
        """An act that stays until the gate opens."""
        self.reached.set()
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return text


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Return once the condition holds; TimeoutError when it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - conditions here are plain values without an event of their own
            await asyncio.sleep(0.005)


def health_call(channel: aio.Channel, method: str) -> Any:
    """Check or Watch, as the generated stub would make it; its types do not know the methods."""
    make = channel.unary_unary if method == "Check" else channel.unary_stream
    return make(
        f"/grpc.health.v1.Health/{method}",
        request_serializer=healthpb.HealthCheckRequest.SerializeToString,
        response_deserializer=healthpb.HealthCheckResponse.FromString,
    )


async def health_of(channel: aio.Channel, service: str = "") -> str:
    """What health says of a service."""
    reply = await health_call(channel, "Check")(healthpb.HealthCheckRequest(service=service))
    return healthpb.HealthCheckResponse.ServingStatus.Name(reply.status)


async def reflect(
    channel: aio.Channel,
    request: reflectionpb.ServerReflectionRequest,
    service: str = "grpc.reflection.v1.ServerReflection",
) -> reflectionpb.ServerReflectionResponse:
    """One question to reflection, under one of its names."""
    call = channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=reflectionpb.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflectionpb.ServerReflectionResponse.FromString,
    )(iter([request]))
    (answer,) = [answer async for answer in call]
    return answer


async def services_of(channel: aio.Channel) -> set[str]:
    """The services reflection lists."""
    answer = await reflect(channel, reflectionpb.ServerReflectionRequest(list_services=""))
    return {item.name for item in answer.list_services_response.service}
