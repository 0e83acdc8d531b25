"""Servers: health, reflection, bounds and the way they start and stop."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2 as healthpb

from qmtl.config.settings import ServiceSettings
from qmtl.core.clock import SystemClock
from qmtl.core.errors import Exhausted, InvalidRequest, NotFound, Unavailable
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.client.channel import KEEPALIVE_MS, connect
from qmtl.rpc.server.inbound import Limits
from qmtl.rpc.server.server import KEEPALIVE_MIN_MS, Server
from tests.rpc.echo import NAME, Echo, EchoStub, add_echo, service
from tests.rpc.mesh import Gate, Mesh, health_call, health_of, peer, services_of, settings_of, shout, until, user
from tests.support.contracts import services
from tests.support.forwarding import forwarding


def server_of(settings: ServiceSettings) -> Server:
    return Server(
        settings,
        service=settings.service,
        authenticator=Authenticator.from_settings(settings),
        clock=SystemClock(),
    )


async def test_health_knows_each_service_and_no_other(mesh: Mesh) -> None:
    server = await mesh.serve()
    channel = await mesh.channel(server)
    assert await health_of(channel) == "SERVING"
    assert await health_of(channel, NAME) == "SERVING"
    with pytest.raises(NotFound, match="E_SERVICE_UNKNOWN"):
        await health_of(channel, "qmtl.other.v1.OtherService")


def test_clients_ping_no_faster_than_servers_allow() -> None:
    assert KEEPALIVE_MS > KEEPALIVE_MIN_MS


async def test_a_peer_that_vanished_without_a_word_is_let_go(mesh: Mesh, home: Path) -> None:
    gate = Gate()
    server = await mesh.serve(gate.wait, limits=Limits(keepalive_s=0.5, keepalive_timeout_s=0.5))
    async with (
        forwarding(f"127.0.0.1:{server.port}") as wire,
        connect(wire.address, user_token=user(home), service_token=peer(home)) as channel,
    ):
        asking = asyncio.create_task(EchoStub(channel).say("Down", "x"))
        async with asyncio.timeout(5):
            await gate.reached.wait()
            wire.hold()
            await gate.cancelled.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def test_a_watcher_sees_each_change_and_is_let_go(mesh: Mesh) -> None:
    server = await mesh.serve()
    watching = aiter(health_call(await mesh.channel(server), "Watch")(healthpb.HealthCheckRequest(service=NAME)))
    async with asyncio.timeout(5):
        assert (await anext(watching)).status == healthpb.HealthCheckResponse.SERVING
        server.set_serving(False, "store is down")
        assert (await anext(watching)).status == healthpb.HealthCheckResponse.NOT_SERVING
        server.set_serving(True)
        assert (await anext(watching)).status == healthpb.HealthCheckResponse.SERVING
        stopping = asyncio.create_task(server.stop(30))
        assert (await anext(watching)).status == healthpb.HealthCheckResponse.NOT_SERVING
        with pytest.raises(StopAsyncIteration):
            await anext(watching)
        await stopping


async def test_a_server_may_start_without_serving(mesh: Mesh, home: Path) -> None:
    server = server_of(settings_of(home))
    server.set_serving(False)
    mesh.stack.push_async_callback(server.stop, 0)
    await server.start()
    assert await health_of(await mesh.channel(server)) == "NOT_SERVING"


async def test_calls_under_way_finish_while_the_server_stops(mesh: Mesh) -> None:
    gate = Gate()
    server = await mesh.serve(gate.wait)
    stub = await mesh.stub(server)
    asking = asyncio.create_task(stub.say("Post", "x"))
    async with asyncio.timeout(5):
        await gate.reached.wait()
        stopping = asyncio.create_task(server.stop(30))
        await server.draining.wait()
        gate.opened.set()
        assert await asking == "x"
        await stopping
    with pytest.raises(Unavailable):
        await stub.say("Post", "y")


async def test_a_call_that_outlasts_the_grace_is_cut_off(mesh: Mesh) -> None:
    gate = Gate()
    server = await mesh.serve(gate.wait)
    stub = await mesh.stub(server)
    asking = asyncio.create_task(stub.say("Down", "x"))
    async with asyncio.timeout(5):
        await gate.reached.wait()
        await server.stop(0.05)
        with pytest.raises(Unavailable):
            await asking


async def test_reflection_is_off_at_the_gateway_in_prod(mesh: Mesh, home: Path) -> None:
    settings = settings_of(home, "gateway")
    prod = settings.model_copy(update={"mesh": settings.mesh.model_copy(update={"profile": "prod"})})
    server = server_of(settings)
    assert server.has_reflection
    with_issuer = Authenticator.from_settings(settings)
    assert not Server(prod, service="gateway", authenticator=with_issuer, clock=SystemClock()).has_reflection
    assert Server(prod, service="brokerage", authenticator=with_issuer, clock=SystemClock()).has_reflection


async def test_a_method_without_an_audience_stops_the_start(home: Path) -> None:
    service()
    server = server_of(settings_of(home))
    with pytest.raises(InvalidRequest) as caught:
        server.add(add_echo, Echo(shout), service("qmtl.rpctest.v1.NakedService"))
    assert caught.value.reason == "E_AUDIENCE_MISSING"
    assert "/qmtl.rpctest.v1.NakedService/Call" in caught.value.message


async def test_a_planned_rpc_must_exist(home: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        server_of(settings_of(home)).add(add_echo, Echo(shout), service(), {"Never": "allocation"})
    assert caught.value.reason == "E_PLANNED_UNKNOWN"


async def test_a_service_is_added_once(home: Path) -> None:
    server = server_of(settings_of(home))
    server.add(add_echo, Echo(shout), service())
    with pytest.raises(InvalidRequest) as caught:
        server.add(add_echo, Echo(shout), service())
    assert caught.value.reason == "E_SERVICE_TWICE"


async def test_a_taken_port_is_said(mesh: Mesh, home: Path) -> None:
    taken = await mesh.serve()
    settings = settings_of(home).model_copy(update={"bind": f"127.0.0.1:{taken.port}"})
    with pytest.raises(Unavailable) as caught:
        await server_of(settings).start()
    assert caught.value.reason == "E_BIND"


class Proxy(grpc.GenericRpcHandler):
    """Bytes in, bytes out, as the gateway forwards."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:  # type: ignore[type-arg]  # generic in the stubs only
        if not handler_call_details.method.startswith(f"/{NAME}/"):
            return None

        async def forward(request: bytes, context: aio.ServicerContext[bytes, bytes]) -> bytes:
            return request

        return grpc.unary_unary_rpc_method_handler(forward)


async def test_a_proxied_service_is_listed_described_and_guarded(mesh: Mesh, home: Path) -> None:
    server = server_of(settings_of(home, "gateway"))
    server.add_generic(Proxy(), [service()], {"Later": "allocation"})
    mesh.stack.push_async_callback(server.stop, 0)
    await server.start()
    channel = await mesh.channel(server, as_user=user(home))
    assert NAME in await services_of(channel)
    assert await health_of(channel, NAME) == "SERVING"
    stub = EchoStub(channel)
    assert await stub.one("Get", "as it came") == "as it came"
    for method, code in (("Internal", "PERMISSION_DENIED"), ("Later", "UNIMPLEMENTED"), ("Missing", "UNIMPLEMENTED")):
        call = channel.unary_unary(f"/{NAME}/{method}")(b"")
        assert (await call.code()).name == code


async def test_reflection_describes_every_contract(home: Path, mesh: Mesh) -> None:
    server = server_of(settings_of(home, "gateway"))
    descriptors = list(services())
    assert len(descriptors) > 40
    server.add_generic(Proxy(), descriptors)
    mesh.stack.push_async_callback(server.stop, 0)
    await server.start()
    listed = await services_of(await mesh.channel(server, as_user=user(home)))
    assert {descriptor.full_name for descriptor in descriptors} <= listed


async def test_a_burst_is_answered_or_told_to_come_back(mesh: Mesh) -> None:
    """Never a random failure: 1500 calls at once against 64 slots."""

    async def act(text: str) -> str:
        await asyncio.sleep(0)
        return text

    stub = await mesh.stub(await mesh.serve(act, limits=Limits(calls_max=64)))

    async def ask(number: int) -> str:
        try:
            return "OK" if await stub.one("Post", str(number), timeout=60) == str(number) else "WRONG"
        except Exhausted as error:
            return error.reason if error.retry_after_s else "NO RETRY TIME"

    outcomes = Counter(await asyncio.gather(*(ask(number) for number in range(1500))))
    assert set(outcomes) <= {"OK", "E_OVERLOADED"}
    assert outcomes["OK"] >= 64


async def test_wait_terminated_returns_after_stop(mesh: Mesh) -> None:
    server = await mesh.serve()
    waiting = asyncio.create_task(server.wait_terminated())
    await server.stop(0)
    await until(waiting.done)
