"""How long the event loop was held by one piece of work, in which nothing else of the process ran.

Leases are renewed on the loop: a gate session outlives a stall of (ttl - margin - the time between renewals), 2.75 s.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram

LOOK_S: Final = 0.25  # each wakes a process that has nothing to do
WINDOW_S: Final = 60.0
BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)


class LoopWatch:
    """Looks four times a second how late it is woken; a shorter stall than its pause is seen in part."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "qmtl_loop_held_seconds",
            "How late the event loop came to what was due.",
            buckets=BUCKETS,
            registry=registry,
        )
        longest = Gauge(
            "qmtl_loop_held_longest_seconds", "The longest of the last one to two minutes.", registry=registry
        )
        longest.set_function(lambda: max(self._longest))
        self._longest = [0.0, 0.0]  # of this window and of the one before
        self._since_s = time.monotonic()

    async def run(self) -> None:
        """For ever."""
        while True:
            due_s = time.monotonic() + LOOK_S
            await asyncio.sleep(LOOK_S)
            self.held(max(0.0, time.monotonic() - due_s), time.monotonic())

    def held(self, seconds: float, now_s: float) -> None:
        """Count one look, at an instant of the monotonic clock."""
        self._seconds.observe(seconds)
        if now_s - self._since_s >= WINDOW_S:
            self._longest = [0.0, self._longest[0]]
            self._since_s = now_s
        self._longest[0] = max(self._longest[0], seconds)
