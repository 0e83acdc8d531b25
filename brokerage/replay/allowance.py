"""What one replay may take of the process that orders live in: so much work, and none that nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from qmtl.core.errors import Unavailable, refused

T = TypeVar("T")


class Allowance:
    """Looks at closes and at open orders that a replay may make. One thread spends, another may take it back."""

    def __init__(self, looks_max: int) -> None:
        self._looks_max, self._looks = looks_max, 0
        self._taken_back = Event()

    def spend(self, orders: int) -> None:
        """Count a close at which so many orders are looked at.

        Raises InvalidRequest (E_TOO_LARGE) beyond what is allowed, Unavailable (E_CANCELLED_INSIDE) once it is taken
        back.
        """
        self._looks += 1 + orders
        if self._taken_back.is_set():
            raise Unavailable("E_CANCELLED_INSIDE", "nobody waits for this replay any more")
        if self._looks > self._looks_max:
            most = f"at most {self._looks_max}: fewer bars, or fewer orders that are open for long"
            raise refused("E_TOO_LARGE", "orders", f"{self._looks} looks at open orders and closes or more", most)

    async def in_thread(self, act: Callable[[], T]) -> T:
        """Run what spends this off the loop. Who is cancelled waits until it has ended: no thread goes on alone."""
        work = asyncio.ensure_future(asyncio.to_thread(act))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self._taken_back.set()
            await asyncio.wait({work})
            if not work.cancelled():
                work.exception()
            raise
