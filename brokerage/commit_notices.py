"""Waiting for the next commit that signals a name."""

from __future__ import annotations

import asyncio

from qmtl.core.errors import Unavailable
from qmtl.sql.database import Database


class Pulse:
    """Commits of this process that signalled a name. A waiter takes `next()` before it reads, then waits on it."""

    def __init__(self, db: Database, name: str) -> None:
        self._coming = asyncio.Event()
        self.forget = db.on_signal(name, self._beat)

    def next(self) -> asyncio.Event:
        """Set at the next commit after this call."""
        return self._coming

    def _beat(self) -> None:
        beat, self._coming = self._coming, asyncio.Event()
        beat.set()


async def either(first: asyncio.Event, second: asyncio.Event, timeout_s: float) -> None:
    """Return when one of two events is set, or after the timeout."""
    waits = [asyncio.ensure_future(event.wait()) for event in (first, second)]
    try:
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def going_away(number: int) -> Unavailable:
    """How a stream ends when the server stops: resume elsewhere, after the last number."""
    return Unavailable(
        "E_GOING_AWAY", "the server is stopping", hint="resume", metadata={"sequence": str(number)}, retry_after_s=0.5
    )
