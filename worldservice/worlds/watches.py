"""Watches: streams that look again at the store when a commit signals, and end when the server drains."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from qmtl.core.errors import Unavailable
from qmtl.core.tasks.ending import first_of
from worldservice.worlds.writes import Writes

POLL_S = 1.0  # commits of other replicas send no signal


class Watch:
    """One stream's looks. `hint`: how a client goes on after the server has gone away."""

    def __init__(self, writes: Writes, signal: str, hint: str) -> None:
        self._writes = writes
        self._hint = hint
        self._changed = asyncio.Event()
        self._changed.set()
        self._stop = writes.db.on_signal(signal, self._changed.set)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    async def look(self, *, at_once: bool = False) -> None:
        """Return when the store is to be read: first and `at_once` now, then after a change. Raises Unavailable
        (E_GOING_AWAY) while the server drains.
        """
        draining = self._writes.draining
        if not at_once:
            await first_of(self._changed.wait(), draining.wait(), self._writes.clock.sleep(POLL_S))
        if draining.is_set():
            raise Unavailable("E_GOING_AWAY", "the server is going away", hint=self._hint)
        self._changed.clear()
