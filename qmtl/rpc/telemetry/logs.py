"""Structured logs: one JSON object per line on stderr, with the ids that join lines of several processes.

All of the process's logging goes through here, libraries' included. Secrets do not: values under telling
keys and anything that looks like a token or a password in an address are masked, wherever they stand.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

from qmtl.rpc.auth.call import current_call
from qmtl.rpc.telemetry.sampling import Sampling
from qmtl.rpc.telemetry.traces import current_trace_id

MASK: Final = "***"
_SECRET_KEYS: Final = re.compile(r"token|secret|password|passwd|authorization|api_?key|private|credential", re.I)
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_BEARER: Final = re.compile(r"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]{8,}")
_USERINFO: Final = re.compile(r"(://[^/\s:@]*:)[^@\s/]+(@)")
_FIRST: Final = ("timestamp", "level", "service", "logger", "event")  # where the eye looks
_QUIET: Final = ("asyncio", "nats", "alembic", "sqlalchemy", "grpc", "ccxt")  # ccxt tells the headers of requests

Event = MutableMapping[str, Any]  # structlog's own type for a log line under way


def configure(
    service: str,
    *,
    level: str = "INFO",
    style: str = "json",
    stream: TextIO | None = None,
    output: logging.Handler | None = None,
) -> None:
    """Set up structlog and the standard library's logging for this process; called once, by run.py.

    Lines go to `output` where one is given, else to `stream`, by default stderr.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _add_ids(service),
        structlog.processors.format_exc_info,
        mask_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = output or logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(style)],
        )
    )
    logging.basicConfig(handlers=[Sampling(handler)], level=level, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def mask_secrets(_logger: Any, _method: str, event: Event) -> Event:
    """Mask secrets in a line, nested values included."""
    for key, value in event.items():
        event[key] = MASK if _SECRET_KEYS.search(key) and value else masked(value)
    return event


def masked(value: object) -> object:
    """A value with whatever looks like a secret in its text masked."""
    if isinstance(value, str):
        return _USERINFO.sub(rf"\g<1>{MASK}\g<2>", _BEARER.sub(rf"\g<1>{MASK}", _JWT.sub(MASK, value)))
    if isinstance(value, dict):
        return {k: MASK if _SECRET_KEYS.search(str(k)) and v else masked(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(item) for item in value]
    if isinstance(value, bool | int | float | None):
        return value
    return masked(str(value))


def _add_ids(service: str) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, event: Event) -> Event:
        call = current_call()
        ids = {
            "service": service,
            "trace_id": current_trace_id(),
            "request_id": call.request_id,
            "correlation_id": call.correlation_id if call.correlation_id != call.request_id else "",
            "actor": call.actor,
        }
        for key, value in ids.items():
            if value:
                event.setdefault(key, value)
        return event

    return add


def _renderer(style: str) -> structlog.typing.Processor:
    if style != "json":
        return structlog.dev.ConsoleRenderer(colors=False)
    to_json = structlog.processors.JSONRenderer(default=str)

    def render(logger: Any, method: str, event: Event) -> str | bytes:
        first = {key: event[key] for key in _FIRST if key in event}
        return to_json(logger, method, {**first, **event})

    return render
