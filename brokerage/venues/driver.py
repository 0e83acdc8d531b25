"""Drives one account at a venue that lives elsewhere, while this process holds its lease.

First the books are brought to what the venue lists, then orders flow. Whenever the venue tells of something, and every
so often without a word, its lists are read again; after a break all begins with a comparison.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from enum import Enum

import structlog

from brokerage.venues.dispatch.dispatcher import Dispatcher
from brokerage.venues.lease import VenueLease
from brokerage.venues.listings import ListedVenue
from brokerage.venues.reconcile.reconcile import Found, Reconciler
from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.core.tasks.ending import end
from qmtl.exchanges.connection import NotSent, VenueRefused

LOOK_S = 1.0
LADDER_S = (0.5, 1.0, 2.0, 5.0)
REST_S = 2.0  # between two comparisons: what the venue tells meanwhile is one reason for the next

log = structlog.stdlib.get_logger("qmtl.brokerage.venues")


class LinkState(Enum):
    """Whether the books of an account follow its venue."""

    ELSEWHERE = "ELSEWHERE"  # another process drives it
    RECONCILING = "RECONCILING"
    CONNECTED = "CONNECTED"
    CLOCK_APART = "CLOCK_APART"  # connected, but for the clocks: only cancels and what reduces go
    BROKEN = "BROKEN"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """How the link is doing, for people."""

    state: LinkState
    detail: str = ""


async def _nothing() -> None:
    return


async def _nothing_found(found: Found) -> None:
    return


@dataclass(frozen=True, slots=True)
class DriverHooks:
    """What else is done: `before` each comparison that follows a break, and with what every comparison found `after`
    it. What they raise breaks the link as the venue's own errors do.
    """

    before: Callable[[], Awaitable[None]] = _nothing
    after: Callable[[Found], Awaitable[None]] = _nothing_found


class VenueDriver:
    """The one that drives an account, or waits to. `run` ends only when cancelled."""

    def __init__(
        self,
        venue: ListedVenue,
        reconciler: Reconciler,
        dispatcher: Dispatcher,
        lease: VenueLease,
        clock: Clock,
        *,
        poll_s: float,
        hooks: DriverHooks = DriverHooks(),
    ) -> None:
        self._venue = venue
        self._reconciler = reconciler
        self._dispatcher = dispatcher
        self._lease = lease
        self._clock = clock
        self._poll_s = poll_s
        self._hooks = hooks
        self._asked = asyncio.Event()
        self._one = asyncio.Lock()
        self.status = LinkStatus(LinkState.ELSEWHERE)

    async def run(self) -> None:
        """Take the lease whenever it is free, and drive the account until it is lost."""
        while True:
            if await self._lease.acquire():
                log.info("venue_lease_taken", epoch=self._lease.epoch)
                try:
                    await _first_to_end(self._keep_lease(), self._drive(), self._dispatch())
                finally:
                    await self._give_up()
            self.status = LinkStatus(LinkState.ELSEWHERE)
            await self._clock.sleep(LOOK_S)

    @property
    def doing(self) -> str:
        """How far a comparison has come, for people."""
        return self._reconciler.doing

    async def reconcile(self) -> Found:
        """Compare now. Raises Unavailable (E_VENUE_UNREACHABLE), Exhausted (E_RATE_LIMITED)."""
        async with self._one:
            found = await self._reconciler.reconcile()
            await self._hooks.after(found)
            return found

    def ask(self) -> None:
        """Have it compared soon."""
        self._asked.set()

    async def _give_up(self) -> None:
        """Release the lease, so that the next need not wait until it has run out, unless an act may be on its way."""
        doubtful_at = self._dispatcher.doubtful_at
        if doubtful_at is not None and self._clock.monotonic() - doubtful_at <= self._lease.window_s:
            return
        try:
            await self._lease.release()
        except QmtlError as error:  # it runs out by itself
            log.warning("venue_lease_not_released", error=str(error))

    async def _keep_lease(self) -> None:
        """Renew the lease until it is lost."""
        while await self._lease.renew():
            await self._clock.sleep(self._lease.renew_s)
        log.warning("venue_lease_lost", epoch=self._lease.epoch)

    async def _dispatch(self) -> None:
        """Send orders, from the first comparison on."""
        while self.status.state is not LinkState.CONNECTED:
            await self._clock.sleep(LADDER_S[0])
        await self._dispatcher.run()

    async def _drive(self) -> None:
        """Compare, again whenever there is a reason to; a break is taken up step by step."""
        failures = 0
        while True:
            try:
                if self.status.state is not LinkState.CONNECTED:
                    self.status = LinkStatus(LinkState.RECONCILING, self.status.detail)
                    await self._hooks.before()
                await self._compare_once()
                failures = 0
            except NotSent as paced:  # the link is as it was: orders go before comparisons
                log.info("comparison_paced", retry_after_s=paced.retry_after_s)
                if self.status.state is LinkState.RECONCILING:
                    self.status = LinkStatus(LinkState.RECONCILING, "waits for the venue's request limits")
                await self._clock.sleep(max(paced.retry_after_s or 0.0, LADDER_S[0]))
            except (QmtlError, VenueRefused) as error:
                self.status = LinkStatus(LinkState.BROKEN, str(error))
                log.warning("venue_broken", error=str(error))
                await self._clock.sleep(LADDER_S[min(failures, len(LADDER_S) - 1)])
                failures += 1

    async def _compare_once(self) -> None:
        """Compare, then wait for a reason to do so again. What the venue tells during the comparison is one: its lists
        may have been read by then.
        """
        told = asyncio.ensure_future(self._venue.told())
        try:
            found = await self.reconcile()
            self.status = LinkStatus(LinkState.CONNECTED, "; ".join([*found.differences, *found.remainders]))
            await self._until_told(told)
        finally:
            await end(told)

    async def _until_told(self, told: asyncio.Future[None]) -> None:
        """Wait until the venue tells of something, somebody asks, or it is time to look; `REST_S` at least."""
        compared = self._clock.monotonic()
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait((told, asked), timeout=self._poll_s, return_when=asyncio.FIRST_COMPLETED)
            if told.done():
                told.result()
            await self._clock.sleep(max(compared + REST_S - self._clock.monotonic(), 0.0))
        finally:
            self._asked.clear()
            await end(asked)


async def _first_to_end(*works: Coroutine[None, None, None]) -> None:
    """Do all of it until one part ends, then end the others; what one raised is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(*tasks)
    for task in done:
        task.result()
