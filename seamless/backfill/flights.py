"""One process does a piece of work at a time, whoever else wants it: a lease held for as long as the work takes.

A process that dies holds its lease until the broker lets it go; the next one then does the work from the start. What
the work writes must be the same whoever does it: a lease alone never protects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from controlbus.bus import Bus
from controlbus.coordination.lease import Lease
from qmtl.core.clock import Clock
from qmtl.core.tasks.ending import end, unbroken

LEASE_S = 10
RENEWALS = 3


class Flights:
    """Work by name, done by one process at a time."""

    def __init__(self, bus: Bus, clock: Clock, *, lease_s: int = LEASE_S) -> None:
        self._bus = bus
        self._clock = clock
        self._lease_s = lease_s

    async def fly(self, name: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Do the work unless another process has its name; whether it was done here, to its end.

        Raises what the work raises, Unavailable where nobody can say who does it.
        """
        lease = Lease(self._bus, name, self._clock, ttl_s=self._lease_s)
        if await lease.acquire() is None:
            return False
        doing = asyncio.ensure_future(work())
        keeping = asyncio.ensure_future(self._keep(lease))
        try:
            await asyncio.wait({doing, keeping}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                return False
            await doing
            return True
        finally:
            await unbroken(self._over(lease, doing, keeping))

    @staticmethod
    async def _over(lease: Lease, *tasks: asyncio.Future[None]) -> None:
        """Give the lease up once nothing is done under it any more."""
        await end(*tasks)
        await lease.release()

    async def _keep(self, lease: Lease) -> None:
        """Renew until it is lost."""
        while lease.held:
            await self._clock.sleep(self._lease_s / RENEWALS)
            if not await lease.renew():
                return
