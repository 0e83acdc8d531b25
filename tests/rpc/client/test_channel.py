"""Channels: what goes along with a call, what is tried again, and how errors come back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc import aio
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from qmtl.config.files import write_private
from qmtl.core.errors import (
    Conflict,
    DeadlineExceeded,
    Exhausted,
    InvalidRequest,
    NotFound,
    Unauthenticated,
    Unavailable,
    Violation,
)
from qmtl.rpc.auth.call import Call, current_call, own_act
from qmtl.rpc.auth.tokens import file_token, mint_service_token, service_token_path
from qmtl.rpc.client.calls import ATTEMPTS_MAX, RetryBudget
from qmtl.rpc.client.channel import connect
from qmtl.rpc.client.streams import scoped
from tests.rpc.echo import KINDS, NAME, EchoStub
from tests.rpc.mesh import Gate, Mesh, peer, settings_of, until, user

every_kind = pytest.mark.parametrize("kind", KINDS)


class Flaky:
    """Fails a number of times, then answers."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    async def act(self, text: str) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return text


@pytest.mark.parametrize("method", ["Get", "Put"])
async def test_an_idempotent_call_is_tried_again(mesh: Mesh, method: str) -> None:
    flaky = Flaky(2, Unavailable("E_DOWN", "not now"))
    stub = await mesh.stub(await mesh.serve(flaky.act))
    assert await stub.one(method, "x") == "x"
    assert flaky.calls == 3
    sample = mesh.metrics.registry.get_sample_value
    assert sample("qmtl_rpc_client_retries_total", {"method": f"/{NAME}/{method}"}) == 2
    assert sample("qmtl_rpc_client_handled_total", {"method": f"/{NAME}/{method}", "code": "OK"}) == 1


@every_kind
async def test_what_is_not_said_to_be_idempotent_is_never_tried_again(mesh: Mesh, kind: str) -> None:
    flaky = Flaky(1, Unavailable("E_DOWN", "not now"))
    stub = await mesh.stub(await mesh.serve(flaky.act))
    with pytest.raises(Unavailable) as caught:
        await stub.say(kind, "x")
    assert caught.value.reason == "E_DOWN"
    assert flaky.calls == 1


async def test_attempts_are_bounded(mesh: Mesh) -> None:
    flaky = Flaky(99, Unavailable("E_DOWN", "not now"))
    stub = await mesh.stub(await mesh.serve(flaky.act))
    with pytest.raises(Unavailable):
        await stub.one("Get", "x")
    assert flaky.calls == ATTEMPTS_MAX


async def test_overload_is_tried_again_only_when_told_when(mesh: Mesh) -> None:
    told = Flaky(1, Exhausted("E_OVERLOADED", "full", retry_after_s=0.05))
    stub = await mesh.stub(await mesh.serve(told.act))
    assert await stub.one("Get", "x") == "x"
    untold = Flaky(1, Exhausted("E_QUOTA", "spent"))
    stub = await mesh.stub(await mesh.serve(untold.act))
    with pytest.raises(Exhausted):
        await stub.one("Get", "x")
    assert untold.calls == 1


async def test_an_error_that_retrying_cannot_cure_is_not_retried(mesh: Mesh) -> None:
    flaky = Flaky(9, Conflict("E_STALE", "read again"))
    stub = await mesh.stub(await mesh.serve(flaky.act))
    with pytest.raises(Conflict):
        await stub.one("Get", "x")
    assert flaky.calls == 1


async def test_a_retry_that_would_pass_the_deadline_is_not_made(mesh: Mesh) -> None:
    flaky = Flaky(9, Exhausted("E_OVERLOADED", "full", retry_after_s=60))
    stub = await mesh.stub(await mesh.serve(flaky.act))
    async with asyncio.timeout(3):
        with pytest.raises(Exhausted):
            await stub.one("Get", "x", timeout=2)
    assert flaky.calls == 1


async def test_a_peer_that_comes_up_late_is_reached(mesh: Mesh, home: Path) -> None:
    first = await mesh.serve()
    stub = await mesh.stub(first)
    assert await stub.one("Get", "x") == "X"
    port = first.port
    await first.stop(0)
    asking = asyncio.create_task(stub.one("Get", "y"))
    await until(lambda: (mesh.metrics.registry.get_sample_value(*retries("Get")) or 0) >= 1)
    settings = settings_of(home).model_copy(update={"bind": f"127.0.0.1:{port}"})
    await mesh.serve(settings=settings)
    assert await asking == "Y"


def retries(method: str) -> tuple[str, dict[str, str]]:
    return "qmtl_rpc_client_retries_total", {"method": f"/{NAME}/{method}"}


def test_the_budget_ends_retries_and_comes_back() -> None:
    budget = RetryBudget()
    allowed = 0
    while budget.failed():
        allowed += 1
    assert allowed == 9
    assert not budget.failed()
    for _ in range(8):
        budget.succeeded()
    assert budget.failed()


async def test_an_outage_is_not_multiplied_by_retries(mesh: Mesh) -> None:
    flaky = Flaky(999, Unavailable("E_DOWN", "not now"))
    stub = await mesh.stub(await mesh.serve(flaky.act))
    outcomes = await asyncio.gather(*(stub.one("Get", "x") for _ in range(12)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert flaky.calls <= 12 + 9  # not 12 calls of 5 attempts


async def test_nobody_there_is_unavailable(home: Path, unused_tcp_port: int) -> None:
    async with connect(f"127.0.0.1:{unused_tcp_port}", user_token=user(home)) as channel:
        with pytest.raises(Unavailable) as caught:
            await EchoStub(channel).say("Post", "x")
    assert caught.value.reason == "E_UNAVAILABLE"


@every_kind
async def test_an_error_keeps_its_class_and_content_over_two_hops(mesh: Mesh, home: Path, kind: str) -> None:
    violation = Violation("period", "0", "1 or more")

    async def deep(text: str) -> str:
        raise NotFound("E_NODE_UNKNOWN", "no node", hint="list them", metadata={"id": text}, violations=[violation])

    inner = await mesh.serve(deep, name="dagmanager")
    to_inner = EchoStub(await mesh.channel(inner, as_service=peer(home, "gateway")))

    async def relay(text: str) -> str:
        return await to_inner.say(kind, text)

    outer = await mesh.serve(relay, name="gateway")
    with pytest.raises(NotFound) as caught:
        await EchoStub(await mesh.channel(outer, as_user=user(home))).say(kind, "n1")
    error = caught.value
    assert (error.reason, error.message, error.hint) == ("E_NODE_UNKNOWN", "no node", "list them")
    assert (error.metadata, error.violations) == ({"id": "n1"}, (violation,))


@every_kind
async def test_the_user_goes_along_beside_the_service(mesh: Mesh, home: Path, kind: str) -> None:
    calls: list[Call] = []

    async def deep(text: str) -> str:
        calls.append(current_call())
        return text

    inner = await mesh.serve(deep, name="worldservice")
    to_inner = EchoStub(await mesh.channel(inner, as_service=peer(home, "gateway")))

    async def relay(text: str) -> str:
        calls.append(current_call())
        return await to_inner.say(kind, text)

    outer = await mesh.serve(relay, name="gateway")
    alice = user(home, worlds=["w1"])
    await EchoStub(await mesh.channel(outer, as_user=alice)).say(kind, "x", metadata=(("x-correlation-id", "s-1"),))
    at_edge, behind = calls
    assert at_edge.service is None
    assert behind.identity == at_edge.identity
    assert behind.identity is not None
    assert behind.identity.token == alice()
    assert behind.service is not None
    assert behind.service.name == "gateway"
    assert behind.request_id == at_edge.request_id
    assert behind.correlation_id == at_edge.correlation_id == "s-1"


async def test_a_services_own_act_leaves_the_user_behind(mesh: Mesh, home: Path) -> None:
    calls: list[Call] = []

    async def deep(text: str) -> str:
        calls.append(current_call())
        return text

    inner = await mesh.serve(deep, name="worldservice")
    to_inner = EchoStub(await mesh.channel(inner, as_service=peer(home, "operator")))

    async def relay(text: str) -> str:
        with own_act():
            return await to_inner.one("Get", text)

    outer = await mesh.serve(relay, name="gateway")
    await EchoStub(await mesh.channel(outer, as_user=user(home))).say("Post", "x", timeout=1)
    (behind,) = calls
    assert behind.identity is None
    remaining = behind.remaining_s()
    assert remaining is not None
    assert remaining > 5  # the channel's default, not what was left of the inbound call


@every_kind
async def test_the_deadline_shrinks_on_the_way(mesh: Mesh, home: Path, kind: str) -> None:
    remaining: list[float | None] = []

    async def deep(text: str) -> str:
        remaining.append(current_call().remaining_s())
        return text

    inner = await mesh.serve(deep, name="worldservice")
    to_inner = EchoStub(await mesh.channel(inner, as_service=peer(home, "gateway")))

    async def relay(text: str) -> str:
        return await to_inner.say(kind, text, timeout=60)

    outer = await mesh.serve(relay, name="gateway")
    await EchoStub(await mesh.channel(outer, as_user=user(home))).say("Post", "x", timeout=2)
    assert remaining[0] is not None
    assert 0 < remaining[0] < 2.1  # grpc sends timeouts rounded up


async def test_a_call_after_the_deadline_is_not_sent(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve())
    for kind in KINDS:
        with pytest.raises(DeadlineExceeded):
            await stub.say(kind, "x", timeout=0)


async def test_the_default_timeout_is_for_plain_calls(mesh: Mesh, home: Path) -> None:
    gate = Gate()
    server = await mesh.serve(gate.wait)
    channel = connect(
        f"127.0.0.1:{server.port}", user_token=user(home), service_token=peer(home), default_timeout_s=0.2
    )
    async with channel:
        stub = EchoStub(channel)
        with pytest.raises(DeadlineExceeded):
            await stub.say("Post", "x")
        call = stub.down_call(StringValue(value="x"))
        assert call.time_remaining() is None
        call.cancel()


@every_kind
async def test_one_trace_spans_both_hops(mesh: Mesh, home: Path, kind: str, spans: InMemorySpanExporter) -> None:
    async def deep(text: str) -> str:
        return text

    inner = await mesh.serve(deep, name="worldservice")
    to_inner = EchoStub(await mesh.channel(inner, as_service=peer(home, "gateway")))

    async def relay(text: str) -> str:
        return await to_inner.say(kind, text)

    outer = await mesh.serve(relay, name="gateway")
    await EchoStub(await mesh.channel(outer, as_user=user(home))).say("Post", "x")

    def served() -> list[int]:
        return [span.context.trace_id for span in spans.get_finished_spans() if span.kind is SpanKind.SERVER]

    await until(lambda: len(served()) == 2)
    assert len(set(served())) == 1


async def test_a_service_token_rewritten_while_running_is_used(mesh: Mesh, home: Path) -> None:
    server = await mesh.serve(name="worldservice")
    path = service_token_path(home, "gateway")
    path.parent.mkdir()
    write_private(path, "not.a.token")
    stub = EchoStub(await mesh.channel(server, as_user=user(home), as_service=file_token(path)))
    with pytest.raises(Unavailable, match="E_SERVICE_CREDENTIALS"):
        await stub.say("Post", "x")
    write_private(path, mint_service_token(home, "gateway"))
    assert await stub.say("Post", "x") == "X"


async def test_a_missing_token_file_fails_the_call_that_needs_it(mesh: Mesh, home: Path) -> None:
    server = await mesh.serve()
    stub = EchoStub(await mesh.channel(server, as_service=file_token(home / "tokens" / "none.jwt")))
    with pytest.raises(Unauthenticated, match=r"none\.jwt"):
        await stub.say("Post", "x")


@pytest.mark.parametrize("address", ["10.1.2.3:7700", "gateway.example:7700", "0.0.0.0:7700"])
def test_tokens_do_not_leave_the_machine_in_the_clear(home: Path, address: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        connect(address, user_token=user(home))
    assert caught.value.reason == "E_TLS_REQUIRED"


async def test_a_stream_is_written_and_read_by_hand(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve())
    call = stub.both_call()
    for word in ("a", "b"):
        await call.write(StringValue(value=word))
        assert await call.read() == StringValue(value=word.upper())
    await call.done_writing()
    assert await call.read() is aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_writing_to_a_failed_stream_raises_its_error(mesh: Mesh) -> None:
    async def act(text: str) -> str:
        raise NotFound("E_GONE", "gone")

    stub = await mesh.stub(await mesh.serve(act))
    call = stub.both_call()
    await call.write(StringValue(value="a"))
    await call.code()
    with pytest.raises(NotFound) as caught:
        await call.write(StringValue(value="b"))
    assert caught.value.reason == "E_GONE"


async def test_leaving_a_scoped_stream_ends_it_at_the_peer(mesh: Mesh) -> None:
    gate = Gate()

    async def act(text: str) -> str:
        return text if text == "first" else await gate.wait(text)

    stub = await mesh.stub(await mesh.serve(act))
    with scoped(stub.down_call(StringValue(value="first second"))) as call:
        async for reply in call:
            assert reply.value == "first"
            break
    async with asyncio.timeout(5):
        await gate.cancelled.wait()


async def test_a_cancelled_caller_cancels_the_whole_chain(mesh: Mesh, home: Path) -> None:
    gate = Gate()
    inner = await mesh.serve(gate.wait, name="worldservice")
    to_inner = EchoStub(await mesh.channel(inner, as_service=peer(home, "gateway")))

    async def relay(text: str) -> str:
        return await to_inner.say("Post", text)

    outer = await mesh.serve(relay, name="gateway")
    stub = EchoStub(await mesh.channel(outer, as_user=user(home)))
    asking = asyncio.create_task(stub.say("Post", "x"))
    async with asyncio.timeout(5):
        await gate.reached.wait()
        asking.cancel()
        await gate.cancelled.wait()
    with pytest.raises(asyncio.CancelledError):
        await asking


@every_kind
async def test_closing_the_channel_fails_a_call_under_way(mesh: Mesh, home: Path, kind: str) -> None:
    gate = Gate()
    server = await mesh.serve(gate.wait)
    channel = await mesh.channel(server, as_user=user(home), as_service=peer(home))
    asking = asyncio.create_task(EchoStub(channel).say(kind, "x"))
    async with asyncio.timeout(5):
        await gate.reached.wait()
        await channel.close()
        with pytest.raises(Unavailable) as caught:
            await asking
    assert caught.value.reason == "E_CHANNEL_CLOSED"


async def test_a_call_object_tells_code_details_and_metadata(mesh: Mesh) -> None:
    flaky = Flaky(1, NotFound("E_GONE", "gone"))
    stub = await mesh.stub(await mesh.serve(flaky.act))
    failed = stub.plain["Post"](StringValue(value="x"))
    assert await failed.code() is grpc.StatusCode.NOT_FOUND
    assert await failed.details() == "gone"
    assert "grpc-status-details-bin" in dict(await failed.trailing_metadata())
    assert failed.done()
    fine = stub.plain["Post"](StringValue(value="x"))
    assert (await fine).value == "x"
    assert await fine.code() is grpc.StatusCode.OK
