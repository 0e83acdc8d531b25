"""The code a call ended with, in its span and its log line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

import grpc
import structlog
from opentelemetry import trace
from opentelemetry.trace import StatusCode as SpanCode

from qmtl.rpc.auth.call import Call
from qmtl.rpc.server.inbound import Inbound

log: Final = structlog.stdlib.get_logger("qmtl.rpc")


def number_to_code(number: object) -> grpc.StatusCode:
    """`context.code()` of grpc.aio is the number or the code itself; 0 or None when nothing was set."""
    return _CODES.get(number, grpc.StatusCode.UNKNOWN) if number else grpc.StatusCode.OK


def code_of_cancelled(call: Call) -> grpc.StatusCode:
    expired = call.deadline is not None and time.monotonic() >= call.deadline
    return grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED


_CODES: Final[Mapping[object, grpc.StatusCode]] = {
    key: code for code in grpc.StatusCode for key in (code, code.value[0])
}
_SERVER_FAULTS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


def mark_span(inbound: Inbound) -> None:
    """Tracing itself loses the status of aborted and cancelled calls; a server span fails on the server's faults."""
    span = trace.get_current_span()
    span.set_attribute("rpc.grpc.status_code", inbound.code.value[0])
    span.set_attribute("qmtl.request_id", inbound.call.request_id)
    if inbound.code in _SERVER_FAULTS:
        span.set_status(SpanCode.ERROR, inbound.code.name)


def log_outcome(inbound: Inbound, seconds: float) -> None:
    ok = inbound.code is grpc.StatusCode.OK
    write = log.debug if ok else log.warning if inbound.code in _SERVER_FAULTS else log.info
    write("rpc", method=inbound.rule.name, code=inbound.code.name, duration_ms=round(seconds * 1000, 2))
