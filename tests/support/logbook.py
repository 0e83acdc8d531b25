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
def logged(service: str = "gateway") -> Iterator[io.StringIO]:
    """Every line from DEBUG up; the process's logging is put back afterwards."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, structlog.get_config())
    stream = io.StringIO()
    logs.configure(service, level="DEBUG", stream=stream)
    try:
        yield stream
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        structlog.configure(**before[2])


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    """The lines so far, read."""
    return [json.loads(line) for line in out.getvalue().splitlines()]
