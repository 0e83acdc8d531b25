"""Time as an argument: a wall clock in UTC and a monotonic one, real or virtual.

Domain functions take times; services take a Clock. Leases and deadlines use `monotonic`, which keeps
running while the machine sleeps, so a lease cannot look fresh after a suspend.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What code may ask about time."""

    def now(self) -> datetime:
        """The present instant, UTC-aware."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back, runs during suspend."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock's time."""

    async def sleep_until(self, instant: datetime) -> None:
        """Return once `now()` is at or after `instant`."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        if sys.platform == "linux":
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def sleep_until(self, instant: datetime) -> None:
        while (left_s := (instant - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - the wall clock may be set back meanwhile
            await asyncio.sleep(left_s)


class VirtualClock:
    """A clock that stands still until told to advance; sleepers wake in the order of their deadlines."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError(f"start is {start.isoformat()}, want a UTC-aware datetime")
        self._start = start.astimezone(UTC)
        self._now = self._start
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    async def sleep(self, seconds: float) -> None:
        await self.sleep_until(self._now + timedelta(seconds=max(0.0, seconds)))

    async def sleep_until(self, instant: datetime) -> None:
        if instant <= self._now:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (instant, next(self._order), woken))
        await woken

    def advance(self, by: timedelta | float) -> None:
        """Move forward by a duration (a bare number is seconds) and wake whoever is due."""
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        self.advance_to(self._now + step)

    def advance_to(self, instant: datetime) -> None:
        """Move forward to an instant and wake whoever is due. Time never goes back: ValueError."""
        if instant < self._now:
            raise ValueError(f"instant is {instant.isoformat()}, want at or after {self._now.isoformat()}")
        self._now = instant.astimezone(UTC)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)

    @property
    def sleepers(self) -> int:
        """How many sleeps are pending; a test awaits this before it advances."""
        return sum(1 for _, _, woken in self._sleepers if not woken.done())
