"""The trace a call belongs to: W3C trace context in metadata, and spans where the process records them.

Without an exporter nothing is recorded, but calls have ids, so that every log line has a trace id that means something
across processes. `spans` has what recording needs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from grpc import StatusCode, aio

from qmtl.rpc.telemetry.ids import new_id

if TYPE_CHECKING:
    from qmtl.rpc.telemetry.spans import Spans

HEALTH: Final = "/grpc.health.v1.Health/"
TRACEPARENT: Final = "traceparent"
_TRACEPARENT: Final = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?"
)


@dataclass(frozen=True, slots=True)
class Ids:
    """Of the call that is served: its trace, and this process's part of it."""

    trace_id: str
    traceparent: str


_current: ContextVar[Ids | None] = ContextVar("qmtl_trace", default=None)
_spans: Spans | None = None  # of the process, as OpenTelemetry's own provider is


def configure(service: str, otlp_endpoint: str, *, recorded: bool = False) -> Spans | None:
    """Say whether this process records spans; called once, by run.py. `recorded`: it does even without an exporter."""
    global _spans
    if otlp_endpoint or recorded:
        from qmtl.rpc.telemetry.spans import Spans  # half a second of imports that only who exports pays

        _spans = Spans(service, otlp_endpoint)
    return _spans


def shut_down() -> None:
    """Send what is left, for a bounded time."""
    if _spans is not None:
        _spans.shut_down()


async def check() -> str:
    """Why the collector takes no spans now; "" where it does, and where none is set."""
    return "" if _spans is None else await asyncio.to_thread(_spans.check)


def only_ids() -> bool:
    """Whether this process records no span: then calls need the ids of their trace and nothing else."""
    return _spans is None


def enter(metadata: Mapping[str, str]) -> None:
    """Make the caller's trace current for the rest of this task, or one of its own: an RPC is a task of its own."""
    given = _TRACEPARENT.fullmatch(metadata.get(TRACEPARENT, ""))
    known = given is not None and not (given[1] == "00" and given[4])  # version 00 has nothing after the flags
    trace_id, flags = (given[2], given[3]) if given is not None and known else (new_id(), "00")
    _current.set(Ids(trace_id, f"00-{trace_id}-{new_id(16)}-{flags}"))


def server_interceptors() -> list[aio.ServerInterceptor]:
    """Outermost on every server of a process that records spans. See `enter` for the others."""
    return [] if _spans is None else [_spans.server_interceptor()]


def client_span(method: str) -> AbstractContextManager[Any]:
    """The span of one attempt of a plain call; `finish_client_span` tells it the code. Health checks have none."""
    if _spans is None or method.startswith(HEALTH):
        return nullcontext()
    return _spans.client_span(method)


def finish_client_span(span: Any, code: StatusCode) -> None:
    """Any code but OK fails a client's span."""
    if _spans is not None and span is not None:
        _spans.mark_client(span, code)


def mark_server_span(code: StatusCode, attributes: Mapping[str, str], *, failed: bool) -> None:
    """Tell the span of the call that is served the code that went out."""
    if _spans is not None:
        _spans.mark_server(code, attributes, failed=failed)


def with_current_span(metadata: aio.Metadata) -> aio.Metadata:
    """Metadata whose trace context is the current span's."""
    if _spans is None:
        return metadata  # there is one span a call, whose context it has already
    carrier: dict[str, str] = {}
    _spans.inject(carrier)
    return aio.Metadata(*((key, value) for key, value in metadata if key not in carrier), *carrier.items())


def inject(carrier: MutableMapping[str, str]) -> None:
    """Write the current trace context into a carrier (traceparent)."""
    if (ids := _current.get()) is not None:
        carrier[TRACEPARENT] = ids.traceparent
    elif _spans is not None:
        _spans.inject(carrier)


def current_traceparent() -> str:
    """The W3C traceparent of the running call, or empty outside of one."""
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get(TRACEPARENT, "")


def current_trace_id() -> str:
    """The trace this code runs under, as 32 hex digits; empty outside any."""
    if (ids := _current.get()) is not None:
        return ids.trace_id
    return "" if _spans is None else _spans.trace_id()
