"""Errors of one kind are one line and a count: what a caller can cause ten thousand times a second fills no disk.

The first of a kind is logged at once; those of the next ten seconds are counted, and the last of them is logged
with `repeated`, how many there were. Lines below ERROR pass.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 10.0
KINDS_MAX: Final = 512  # beyond them all others are one kind
IDENTIFYING: Final = ("method", "task", "reason", "service", "world", "world_id", "subject")
Kind = tuple[str, ...]


@dataclass(slots=True)
class _Window:
    since: float
    repeated: int = 0
    last: logging.LogRecord | None = None


class Sampling(logging.Handler):
    """In front of the handler that writes. `window_s` and `monotonic` are arguments so that tests need not wait."""

    def __init__(
        self, target: logging.Handler, window_s: float = WINDOW_S, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._target = target
        self._window_s = window_s
        self._monotonic = monotonic
        self._windows: dict[Kind, _Window] = {}
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.ERROR:
            self._target.handle(record)
            return
        self.tell()
        kind = kind_of(record)
        if kind not in self._windows and len(self._windows) >= KINDS_MAX:
            kind = ("other",)
        window = self._windows.get(kind)
        if window is None:
            self._windows[kind] = _Window(self._monotonic())
            self._target.handle(record)
            return
        window.repeated += 1
        window.last = record
        if self._timer is None:
            self._timer = threading.Timer(self._window_s, self._on_time)
            self._timer.daemon = True
            self._timer.start()

    def tell(self, *, whole: bool = False) -> None:
        """Log what was counted in windows that are over; `whole`: in all of them."""
        now = self._monotonic()
        for kind, window in list(self._windows.items()):
            if not whole and now - window.since < self._window_s:
                continue
            del self._windows[kind]
            if window.last is not None:
                self._target.handle(_counted(window.last, window.repeated))
                self._windows[kind] = _Window(now)

    def close(self) -> None:
        """Log what is still only counted."""
        self.acquire()
        try:
            if self._timer is not None:
                self._timer.cancel()
            self.tell(whole=True)
        finally:
            self.release()
        super().close()

    def _on_time(self) -> None:
        self.acquire()
        try:
            self._timer = None
            self.tell()
            if any(window.last for window in self._windows.values()):
                self._timer = threading.Timer(self._window_s, self._on_time)
                self._timer.daemon = True
                self._timer.start()
        finally:
            self.release()


def kind_of(record: logging.LogRecord) -> Kind:
    """What makes two errors the same for a reader: who says it, what it says and of what, but not the details."""
    if isinstance(record.msg, Mapping):
        said = record.msg
        raised = str(said.get("exception", "")).rstrip().rpartition("\n")[2].partition(":")[0]
        return (record.name, str(said.get("event")), raised, *(str(said.get(name, "")) for name in IDENTIFYING))
    raised_type = record.exc_info[0] if record.exc_info else None
    return (record.name, str(record.msg), raised_type.__name__ if raised_type else "")


def _counted(record: logging.LogRecord, repeated: int) -> logging.LogRecord:
    counted = logging.makeLogRecord(record.__dict__)
    if isinstance(record.msg, Mapping):
        counted.msg = {**record.msg, "repeated": repeated}
    else:
        counted.msg, counted.args = f"{record.getMessage()} (repeated {repeated} times)", ()
    return counted
