"""How far a long replay is, on one line of a terminal. Nothing is written where nobody watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from qmtl.sdk.data.outputs import OnProgress, silent

SHOWN_AFTER_S, SHOWN_EVERY_S = 1.0, 0.1
_WIDTH, _LINE = 30, 72


class ReplayProgress:
    """What to call as a replay goes on, while it does: `with ReplayProgress(sys.stderr) as on_progress`.

    A terminal shows a bar over its own line once it has taken SHOWN_AFTER_S; at the end the line is wiped out. What is
    no terminal shows none: None, as of a process without a console, a closed stream, an object that only writes.
    """

    def __init__(self, stream: TextIO | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream if _watched(stream) else None
        self._monotonic = monotonic
        self._next_s = monotonic() + SHOWN_AFTER_S
        self._shown = False

    def __enter__(self) -> OnProgress:
        return silent if self._stream is None else self._tell

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown and self._stream is not None:
            self._stream.write(f"\r{' ' * _LINE}\r")
            self._stream.flush()

    def _tell(self, what: str, done: int, of: int) -> None:
        now_s = self._monotonic()
        if self._stream is None or now_s < self._next_s or not of:
            return
        self._next_s, self._shown = now_s + SHOWN_EVERY_S, True
        full = _WIDTH * done // of
        line = f"[{'#' * full}{'.' * (_WIDTH - full)}] {done:,} of {of:,} {what}"
        self._stream.write(f"\r{line:<{_LINE}.{_LINE}}")
        self._stream.flush()


def _watched(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):
        return False
