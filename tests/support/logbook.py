"""What the process logs during a test, as the lines a service writes."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from qmtl.rpc.telemetry import logs


@contextmanager
def logging_put_back() -> Iterator[None]:
    """Whatever sets up the process's logging inside, it is as before afterwards."""
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**config)


@contextmanager
def logged(service: str = "gateway") -> Iterator[io.StringIO]:
    """Every line from DEBUG up; the process's logging is put back afterwards."""
    stream = io.StringIO()
    with logging_put_back():
        logs.configure(service, level="DEBUG", stream=stream)
        yield stream


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    """The lines so far, read."""
    return [json.loads(line) for line in out.getvalue().splitlines()]
