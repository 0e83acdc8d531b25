"""The trace of a call in a process that records none: its ids go in, along and out."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from qmtl.rpc.telemetry import traces

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


async def test_a_call_goes_on_with_the_trace_it_came_with() -> None:
    async def call() -> tuple[str, dict[str, str]]:
        traces.enter({"traceparent": f"00-{TRACE}-{SPAN}-01", "x-other": "1"})
        sent: dict[str, str] = {}
        traces.inject(sent)
        return traces.current_trace_id(), sent

    here, sent = await asyncio.create_task(call())
    version, trace_id, span_id, flags = sent["traceparent"].split("-")
    assert here == trace_id == TRACE
    assert (version, flags, len(span_id)) == ("00", "01", 16)
    assert span_id != SPAN
    assert traces.current_trace_id() == ""


async def test_a_call_without_a_trace_begins_one_of_its_own() -> None:
    async def call(metadata: dict[str, str]) -> str:
        traces.enter(metadata)
        return traces.current_trace_id()

    broken = {"traceparent": "00-0-0-0"}
    found = [await asyncio.create_task(call(metadata)) for metadata in ({}, {}, broken)]
    assert len(set(found)) == 3
    assert all(len(trace_id) == 32 for trace_id in found)


def test_a_process_without_an_exporter_needs_ids_only_and_one_with_records() -> None:
    """The provider is set once per process, so each has one of its own."""
    code = (
        "from qmtl.rpc.telemetry import traces; traces.configure('x', '', recorded={});"
        "print(traces.only_ids(), len(traces.server_interceptors()))"
    )
    said = [
        subprocess.run([sys.executable, "-c", code.format(on)], capture_output=True, text=True, check=True).stdout
        for on in (False, True)
    ]
    assert said == ["True 0\n", "False 1\n"]
