"""Rounds of work that leave something undone at times: again soon while they do, else after a rest or when woken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Never

from qmtl.core.clock import Clock
from qmtl.core.tasks.ending import first_of


class Rounds:
    """One follower's rounds. After a failed one the next waits twice as long as the last did, `retry_max_s` at most;
    a rest ends at `rest_s` or at `wake`.
    """

    def __init__(self, clock: Clock, *, retry_s: float, retry_max_s: float, rest_s: float) -> None:
        self._clock = clock
        self._retry_s = retry_s
        self._retry_max_s = retry_max_s
        self._rest_s = rest_s
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is something to do."""
        self._woken.set()

    async def run(self, once: Callable[[], Awaitable[bool]]) -> Never:
        """Until cancelled. `once` tells whether nothing was left undone."""
        wait_s = self._retry_s
        while True:
            self._woken.clear()
            if await once():
                wait_s = self._retry_s
                await first_of(self._clock.sleep(self._rest_s), self._woken.wait())
            else:
                wait_s = min(wait_s * 2, self._retry_max_s)
                await self._clock.sleep(wait_s)
