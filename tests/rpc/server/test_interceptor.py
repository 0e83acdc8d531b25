"""The layers around every RPC, each for all four kinds, over a real connection."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc import aio
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from qmtl.core.errors import (
    DeadlineExceeded,
    Exhausted,
    InvalidRequest,
    NotBuilt,
    NotFound,
    QmtlError,
    Unauthenticated,
    Unavailable,
    Violation,
)
from qmtl.rpc.auth.call import Call, current_call
from qmtl.rpc.server.inbound import Limits
from qmtl.rpc.telemetry import logs
from tests.rpc.echo import KINDS, NAME, Echo, EchoStub
from tests.rpc.mesh import Gate, Mesh, peer, until, user

every_kind = pytest.mark.parametrize("kind", KINDS)


def path(kind: str) -> str:
    return f"/{NAME}/{kind}"


def handled(mesh: Mesh, kind: str, code: str) -> float | None:
    return mesh.metrics.registry.get_sample_value("qmtl_rpc_server_handled_total", {"method": path(kind), "code": code})


async def fail_not_found(text: str) -> str:
    raise NotFound("E_UNKNOWN_WORLD", f"no world {text}", hint="list them", metadata={"world_id": text})


async def fail_with_a_bug(text: str) -> str:
    raise ZeroDivisionError("the password is swordfish")


@every_kind
async def test_a_call_of_each_kind_goes_through(mesh: Mesh, kind: str) -> None:
    stub = await mesh.stub(await mesh.serve())
    assert await stub.say(kind, "a b c") == "A B C"


@every_kind
async def test_an_error_of_the_tree_arrives_as_itself(mesh: Mesh, kind: str) -> None:
    stub = await mesh.stub(await mesh.serve(fail_not_found))
    with pytest.raises(NotFound) as caught:
        await stub.say(kind, "w1")
    error = caught.value
    assert (error.reason, error.message, error.hint) == ("E_UNKNOWN_WORLD", "no world w1", "list them")
    assert error.metadata == {"world_id": "w1"}


@every_kind
async def test_violations_arrive_with_field_value_and_want(mesh: Mesh, kind: str) -> None:
    violations = (Violation("dag.nodes[3].period", "-1", "1 or more"), Violation("world_ids", "empty", "at least one"))

    async def act(text: str) -> str:
        raise InvalidRequest("E_BAD", "two things", violations=violations, retry_after_s=1.5)

    stub = await mesh.stub(await mesh.serve(act))
    with pytest.raises(InvalidRequest) as caught:
        await stub.say(kind, "x")
    assert caught.value.violations == violations
    assert caught.value.retry_after_s == 1.5


@every_kind
async def test_a_bug_tells_the_caller_nothing_and_the_log_everything(
    mesh: Mesh, kind: str, spans: InMemorySpanExporter
) -> None:
    out = io.StringIO()
    logs.configure("dagmanager", stream=out)
    stub = await mesh.stub(await mesh.serve(fail_with_a_bug))
    with pytest.raises(QmtlError) as caught:
        await stub.say(kind, "x")
    assert type(caught.value) is QmtlError
    assert str(caught.value) == "E_INTERNAL: internal error"
    line = next(item for item in map(json.loads, out.getvalue().splitlines()) if item["event"] == "unmapped_error")
    assert "ZeroDivisionError" in line["exception"]
    assert line["request_id"]
    server_span = next(span for span in spans.get_finished_spans() if span.kind is SpanKind.SERVER)
    assert line["trace_id"] == f"{server_span.context.trace_id:032x}"
    assert handled(mesh, kind, "INTERNAL") == 1
    bugs = mesh.metrics.registry.get_sample_value("qmtl_rpc_server_unmapped_errors_total", {"method": path(kind)})
    assert bugs == 1


@every_kind
async def test_a_call_without_a_token_never_reaches_the_handler(mesh: Mesh, kind: str) -> None:
    reached = False

    async def act(text: str) -> str:
        nonlocal reached
        reached = True
        return text

    server = await mesh.serve(act)
    with pytest.raises(Unauthenticated) as caught:
        await EchoStub(await mesh.channel(server)).say(kind, "x")
    assert caught.value.reason == "E_TOKEN_MISSING"
    assert not reached
    await until(lambda: handled(mesh, kind, "UNAUTHENTICATED") == 1)  # counted once the status is out


@every_kind
async def test_the_call_is_current_while_it_is_served(mesh: Mesh, kind: str) -> None:
    seen: list[Call] = []

    async def act(text: str) -> str:
        seen.append(current_call())
        return text

    stub = await mesh.stub(await mesh.serve(act))
    await stub.say(kind, "x", metadata=(("x-request-id", "req-7"), ("x-correlation-id", "strategy-9")), timeout=5)
    (call,) = set(seen)
    assert call.method == path(kind)
    assert (call.request_id, call.correlation_id) == ("req-7", "strategy-9")
    assert call.identity is not None
    assert call.identity.subject == "alice"
    assert call.service is not None
    assert call.service.name == "gateway"
    remaining = call.remaining_s()
    assert remaining is not None
    assert remaining < 5.1  # grpc sends timeouts rounded up
    assert current_call() == Call()


async def test_a_strange_request_id_is_replaced(mesh: Mesh) -> None:
    seen: list[str] = []

    async def act(text: str) -> str:
        seen.append(current_call().request_id)
        return text

    stub = await mesh.stub(await mesh.serve(act))
    await stub.say("Post", "x", metadata=(("x-request-id", 'a"b\\nlevel=fatal'),))
    assert len(seen[0]) == 32


@every_kind
async def test_work_past_the_deadline_is_stopped(mesh: Mesh, kind: str) -> None:
    gate = Gate()
    stub = await mesh.stub(await mesh.serve(gate.wait))
    with pytest.raises(DeadlineExceeded, match="E_DEADLINE_EXCEEDED"):
        await stub.say(kind, "x", timeout=0.2)
    async with asyncio.timeout(5):
        await gate.cancelled.wait()
    await until(lambda: handled(mesh, kind, "DEADLINE_EXCEEDED") == 1)


async def test_a_plain_call_without_a_deadline_gets_the_servers(mesh: Mesh) -> None:
    gate = Gate()
    server = await mesh.serve(gate.wait, limits=Limits(deadline_default_s=0.2))
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as bare:
        metadata = (("authorization", f"Bearer {user(mesh.home)()}"), ("x-qmtl-service", f"Bearer {peer(mesh.home)()}"))
        with pytest.raises(aio.AioRpcError) as caught:
            await EchoStub(bare).say("Post", "x", metadata=metadata)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_stream_without_a_deadline_has_none(mesh: Mesh) -> None:
    deadlines: list[float | None] = []

    async def act(text: str) -> str:
        deadlines.append(current_call().deadline)
        return text

    stub = await mesh.stub(await mesh.serve(act))
    for kind in ("Down", "Up", "Both"):
        await stub.say(kind, "x")
    assert deadlines == [None, None, None]


async def test_a_deadline_above_the_maximum_is_cut(mesh: Mesh) -> None:
    remaining: list[float | None] = []

    async def act(text: str) -> str:
        remaining.append(current_call().remaining_s())
        return text

    stub = await mesh.stub(await mesh.serve(act, limits=Limits(deadline_max_s=7)))
    await stub.say("Post", "x", timeout=600)
    assert remaining[0] is not None
    assert 5 < remaining[0] <= 7


async def test_a_timeout_inside_a_handler_is_a_bug_not_a_deadline(mesh: Mesh) -> None:
    async def act(text: str) -> str:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
        return text

    stub = await mesh.stub(await mesh.serve(act))
    with pytest.raises(QmtlError) as caught:
        await stub.say("Post", "x")
    assert caught.value.reason == "E_INTERNAL"


@every_kind
async def test_a_cancelled_call_unwinds_its_handler(mesh: Mesh, kind: str, spans: InMemorySpanExporter) -> None:
    gate = Gate()
    stub = await mesh.stub(await mesh.serve(gate.wait))
    task = asyncio.create_task(stub.say(kind, "x"))
    async with asyncio.timeout(5):
        await gate.reached.wait()
        task.cancel()
        await gate.cancelled.wait()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: handled(mesh, kind, "CANCELLED") == 1)
    await until(lambda: any(span.kind is SpanKind.SERVER for span in spans.get_finished_spans()))
    span = next(span for span in spans.get_finished_spans() if span.kind is SpanKind.SERVER)
    assert (span.attributes or {})["rpc.grpc.status_code"] == grpc.StatusCode.CANCELLED.value[0]


async def test_a_reader_that_leaves_closes_the_generator_in_its_own_call(mesh: Mesh) -> None:
    """A blocked write is cut off: the handler's `finally` must still run in the call, not whenever it is collected."""
    served_in: list[asyncio.Task[Any] | None] = []
    blocked = "x" * 1_000_000

    async def act(text: str) -> str:
        served_in.append(asyncio.current_task())
        return blocked

    echo = Echo(act)
    stub = await mesh.stub(await mesh.serve(servicer=echo))
    call = stub.down_call(StringValue(value=" ".join("a" * 64)))
    assert (await anext(aiter(call))).value == blocked
    call.cancel()
    await until(lambda: handled(mesh, "Down", "CANCELLED") == 1 and bool(echo.closed_in))
    assert len(served_in) < 64
    assert echo.closed_in == [served_in[0]]


@every_kind
async def test_past_the_limit_callers_are_told_when_to_come_back(mesh: Mesh, kind: str) -> None:
    gate = Gate()
    limits = Limits(calls_max=1, streams_max=1, retry_after_s=2.5)
    stub = await mesh.stub(await mesh.serve(gate.wait, limits=limits))
    first = asyncio.create_task(stub.say(kind, "x"))
    async with asyncio.timeout(5):
        await gate.reached.wait()
    with pytest.raises(Exhausted) as caught:
        await stub.say(kind, "y")
    assert (caught.value.reason, caught.value.retry_after_s) == ("E_OVERLOADED", 2.5)
    gate.opened.set()
    assert await first == "x"
    assert await stub.say(kind, "z") == "z"


async def test_open_streams_do_not_shut_out_calls(mesh: Mesh) -> None:
    gate = Gate()

    async def act(text: str) -> str:
        return text if text == "call" else await gate.wait(text)

    stub = await mesh.stub(await mesh.serve(act, limits=Limits(calls_max=1, streams_max=1)))
    stream = asyncio.create_task(stub.say("Down", "x"))
    async with asyncio.timeout(5):
        await gate.reached.wait()
    assert await stub.say("Post", "call") == "call"
    gate.opened.set()
    await stream


async def test_a_planned_rpc_says_who_will_build_it(mesh: Mesh) -> None:
    async def act(text: str) -> str:
        raise AssertionError("the servicer must not be touched")

    stub = await mesh.stub(await mesh.serve(act, planned={"Later": "allocation"}))
    with pytest.raises(NotBuilt) as caught:
        await stub.one("Later", "x")
    assert (caught.value.reason, caught.value.metadata) == ("E_NOT_BUILT", {"part": "allocation"})


@every_kind
async def test_a_status_with_a_thousand_violations_still_arrives(mesh: Mesh, kind: str) -> None:
    violations = [
        Violation(f"dag.nodes[{n}].node_id", "é" * 400, "the digest of the node's fields") for n in range(1000)
    ]

    async def act(text: str) -> str:
        raise InvalidRequest("E_NODE_ID_MISMATCH", "ü" * 5000, hint="h" * 5000, violations=violations)

    stub = await mesh.stub(await mesh.serve(act))
    with pytest.raises(InvalidRequest) as caught:
        await stub.say(kind, "x")
    assert caught.value.reason == "E_NODE_ID_MISMATCH"
    assert caught.value.violations[0].field == "dag.nodes[0].node_id"
    assert "more violations" in caught.value.violations[-1].value


async def test_a_request_above_the_transport_limit_is_refused(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve(limits=Limits(request_bytes_max=1_000_000)))
    assert len(await stub.say("Put", "x" * 900_000)) == 900_000
    with pytest.raises(Exhausted) as caught:
        await stub.say("Put", "x" * 1_100_000)
    assert "larger than max" in caught.value.message


@every_kind
async def test_a_cancellation_inside_a_handler_still_answers_the_caller(mesh: Mesh, kind: str) -> None:
    """grpc sends no status for a handler that raises CancelledError: the caller would wait for ever."""

    async def act(text: str) -> str:
        inner = asyncio.create_task(asyncio.sleep(60))
        inner.cancel()
        await inner
        return text

    stub = await mesh.stub(await mesh.serve(act))
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable) as caught:
            await stub.say(kind, "x")
    assert caught.value.reason == "E_CANCELLED_INSIDE"
