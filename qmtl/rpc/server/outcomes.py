"""The code a call ended with, in its span and its log line."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Final

import grpc
import structlog

from qmtl.rpc.auth.call import Call
from qmtl.rpc.server.inbound import Inbound
from qmtl.rpc.telemetry import traces

REFUSALS_EVERY_S: Final = 1.0  # of one method and code, so that a flood of them does not fill the disk
log: Final = structlog.stdlib.get_logger("qmtl.rpc.server")
_LEVELS: Final = logging.getLogger("qmtl.rpc.server")


def number_to_code(number: object) -> grpc.StatusCode:
    """`context.code()` of grpc.aio is the number or the code itself; 0 or None when nothing was set."""
    return _CODES.get(number, grpc.StatusCode.UNKNOWN) if number else grpc.StatusCode.OK


def code_of_cancelled(call: Call) -> grpc.StatusCode:
    """DEADLINE_EXCEEDED once the deadline is past, else the caller's own CANCELLED."""
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
    """A server's span has the code that went out, and fails on the server's faults."""
    failed = inbound.code in _SERVER_FAULTS
    traces.mark_server_span(inbound.code, {"qmtl.request_id": inbound.call.request_id}, failed=failed)


class OutcomeLog:
    """One line for each call that was served; of those refused before a handler was asked, a few a second."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, grpc.StatusCode], float] = {}
        self._unlogged: dict[tuple[str, grpc.StatusCode], int] = {}

    def write(self, inbound: Inbound, seconds: float) -> None:
        """The line of one call; refusals of one kind that had none before it are counted in it."""
        skipped: dict[str, int] = {}
        if not inbound.entered:
            kind, now = (inbound.rule.name, inbound.code), time.monotonic()
            if now < self._next.get(kind, 0.0):
                self._unlogged[kind] = self._unlogged.get(kind, 0) + 1
                return
            self._next[kind] = now + REFUSALS_EVERY_S
            if count := self._unlogged.pop(kind, 0):
                skipped = {"unlogged": count}
        level = _level(inbound.code)
        if _LEVELS.isEnabledFor(level):  # asked before the line is made: nearly every call goes well and has none
            told = {"method": inbound.rule.name, "code": inbound.code.name, "duration_ms": round(seconds * 1000, 2)}
            log.log(level, "rpc", **told, **skipped)


def _level(code: grpc.StatusCode) -> int:
    if code is grpc.StatusCode.OK:
        return logging.DEBUG
    return logging.WARNING if code in _SERVER_FAULTS else logging.INFO
