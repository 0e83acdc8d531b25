"""What a call leaves behind: counts, times and spans with the code that really went out."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from qmtl.core.errors import (
    Exhausted,
    NotFound,
    QmtlError,
    Unauthenticated,
)
from qmtl.rpc.server.inbound import Limits
from qmtl.rpc.telemetry.metrics import FEW
from tests.rpc.echo import KINDS, NAME, EchoStub
from tests.rpc.mesh import Gate, Mesh, until

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
async def test_metrics_count_method_code_and_time(mesh: Mesh, kind: str) -> None:
    stub = await mesh.stub(await mesh.serve())
    await stub.say(kind, "a")
    await stub.say(kind, "b")
    await until(lambda: handled(mesh, kind, "OK") == 2)
    sample = mesh.metrics.registry.get_sample_value
    assert sample("qmtl_rpc_server_seconds_count", {"method": path(kind)}) == 2
    assert sample("qmtl_rpc_server_in_flight", {"kind": "stream"}) in (None, 0)


async def test_only_calls_that_were_let_in_count_for_the_servers_slowness(mesh: Mesh) -> None:
    gate = Gate()

    async def act(text: str) -> str:
        if text == "unknown":
            return await fail_not_found(text)
        return text if text == "quick" else await gate.wait(text)

    server = await mesh.serve(act, limits=Limits(calls_max=1))
    stub = await mesh.stub(server)
    nobody = EchoStub(await mesh.channel(server))
    for _ in range(FEW):
        with pytest.raises(Unauthenticated):
            await nobody.one("Post", "x")
    slow = asyncio.create_task(stub.one("Post", "x"))
    async with asyncio.timeout(5):
        await gate.reached.wait()
    for _ in range(FEW):
        with pytest.raises(Exhausted):
            await stub.one("Post", "y")
    gate.opened.set()
    await slow
    for _ in range(FEW - 2):
        await stub.one("Post", "quick")
    recent = mesh.metrics.recent
    await until(lambda: handled(mesh, "Post", "OK") == FEW - 1)
    assert recent.quantile(1.0, 60.0) == 0.0  # too few of them, still
    with pytest.raises(NotFound):
        await stub.one("Post", "unknown")
    await until(lambda: recent.quantile(1.0, 60.0) > 0.0)


@every_kind
async def test_a_trace_runs_through_and_the_span_has_the_final_code(
    mesh: Mesh, kind: str, spans: InMemorySpanExporter
) -> None:
    stub = await mesh.stub(await mesh.serve(fail_not_found))
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    options: dict[str, Any] = {} if kind == "Post" else {"metadata": (("traceparent", traceparent),)}
    with pytest.raises(NotFound):
        await stub.say(kind, "x", **options)
    await until(lambda: any(span.kind is SpanKind.SERVER for span in spans.get_finished_spans()))
    served = next(span for span in spans.get_finished_spans() if span.kind is SpanKind.SERVER)
    assert (served.attributes or {})["rpc.grpc.status_code"] == grpc.StatusCode.NOT_FOUND.value[0]
    assert served.status.status_code is StatusCode.UNSET  # the caller's fault does not fail the server's span
    if kind == "Post":
        sent = next(span for span in spans.get_finished_spans() if span.kind is SpanKind.CLIENT)
        assert served.context.trace_id == sent.context.trace_id
        assert served.parent is not None
        assert served.parent.span_id == sent.context.span_id
    else:
        assert f"{served.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"


@every_kind
async def test_a_bug_fails_the_span(mesh: Mesh, kind: str, spans: InMemorySpanExporter) -> None:
    stub = await mesh.stub(await mesh.serve(fail_with_a_bug))
    with pytest.raises(QmtlError):
        await stub.say(kind, "x")
    await until(lambda: any(span.kind is SpanKind.SERVER for span in spans.get_finished_spans()))
    served = next(span for span in spans.get_finished_spans() if span.kind is SpanKind.SERVER)
    assert served.status.status_code is StatusCode.ERROR
