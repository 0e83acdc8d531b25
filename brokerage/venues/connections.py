"""The venues of the settings, each with the account that is at it: who holds its lease drives it, the others wait.

What a venue lists of its markets is learnt on each connect and kept in the store, where every process reads it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.commit_notices import Pulse
from brokerage.config import VenueEntry
from brokerage.market import listed
from brokerage.market.context import MarketContext
from brokerage.venues import states
from brokerage.venues.dispatch.dispatcher import Dispatcher, DispatchMetrics, unpaced
from brokerage.venues.driver import DriverHooks, LinkState, LinkStatus, VenueDriver
from brokerage.venues.lease import VenueLease
from brokerage.venues.nonces import KeyNonces
from brokerage.venues.plugs import ClockedVenue, ClockReading, ConnectedVenue, PacedVenue, VenuePlug
from brokerage.venues.reconcile.reconcile import Found, Reconciler
from brokerage.venues.states import VenueRecord
from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError, Unavailable
from qmtl.core.instants import to_ns
from qmtl.core.tasks.ending import end
from qmtl.exchanges.connection import VenueRefused
from qmtl.sql.database import Database

LOOK_S = 1.0
STALLED_S = 30.0
COMPARED_WITHIN_S = 240.0
"""How long a comparison by another process is waited for: without a sign of it, and in all. Kraken lets a call through
in two seconds, and a comparison that explains a difference is some twenty.
"""
CLOCK_EVERY_S = 60.0
MS_NS = 1_000_000
MS_PER_S = 1_000

log = structlog.stdlib.get_logger("qmtl.brokerage.venues")


class VenueMetrics:
    """How the venues are, as this process sees them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        self.driven = gauge("qmtl_brokerage_venue_connected", "Whether this process drives it, connected.", ["venue"])
        self.weight = gauge("qmtl_brokerage_venue_weight_used", "Request weight that the venue last told.", ["venue"])
        self.compared = counter("qmtl_brokerage_venue_comparisons_total", "Comparisons with the venue.", ["venue"])
        self.clock = gauge(
            "qmtl_brokerage_venue_clock_ahead_seconds",
            "How far the clock here is ahead of the venue's; negative: behind.",
            ["venue"],
        )
        self.differences = gauge("qmtl_brokerage_venue_differences", "Differences of the last comparison.", ["venue"])


class VenueConnections:
    """Drives the accounts at venues. `follow` of each venue ends only when cancelled."""

    def __init__(
        self,
        db: Database,
        market: MarketContext,
        plugs: Mapping[str, VenuePlug],
        entries: Mapping[str, VenueEntry],
        clock: Clock,
        measures: tuple[VenueMetrics, DispatchMetrics],
    ) -> None:
        self._db = db
        self._market = market
        self._plugs = plugs
        self._entries = entries
        self._clock = clock
        self._measures, self._sent = measures
        self._accounts = Pulse(db, accounts_store.ACCOUNTS_SIGNAL)
        self._drivers: dict[str, VenueDriver] = {}
        self._learnt: dict[str, int] = {}
        self._clocks: dict[str, ClockReading] = {}

    @property
    def venues(self) -> Mapping[str, VenueEntry]:
        """The venues of the settings, by name."""
        return self._entries

    async def follow(self, venue: str) -> None:
        """Learn what a venue lists, then drive the account at it as soon as there is one."""
        if not await self._db.read(partial(listed.learnt_ns, venue=venue)):
            await self._learn_alone(venue)
        while True:
            opened = self._accounts.next()
            await self._take_over(venue)
            account = await self._db.read(partial(accounts_store.name_at, venue=venue))
            if account is not None:
                await self._drive(venue, account)
            await self._pause(opened)

    async def compare(self, record: VenueRecord) -> Found:
        """Compare an account with its venue now, wherever it is driven.

        Raises Unavailable (E_VENUE_UNREACHABLE) where whoever drives it did not do so in time.
        """
        driver, asked_ns = self._drivers.get(record.venue), self._now_ns()
        if driver is not None and driver.status.state is not LinkState.ELSEWHERE:
            return await driver.reconcile()
        await self._db.write(partial(states.ask, account_name=record.account, now_ns=asked_ns))
        began = moved = self._clock.monotonic()
        last = record
        while self._clock.monotonic() < min(moved + STALLED_S, began + COMPARED_WITHIN_S):
            await self._clock.sleep(LOOK_S)
            (found,) = await self._db.read(partial(states.records, account_name=record.account))
            if found.compared_ns > max(record.compared_ns, asked_ns):
                return Found(differences=list(found.differences))
            if (found.state, found.detail) != (last.state, last.detail):
                last, moved = found, self._clock.monotonic()
        waited_s = self._clock.monotonic() - began
        raise Unavailable(
            "E_VENUE_UNREACHABLE",
            f"nobody compared account {record.account} in {waited_s:.0f} s: {last.state} {last.detail}".rstrip(),
        )

    async def _learn_alone(self, venue: str) -> None:
        """Read the venue's markets before any account is there."""
        connected = await self._plugs[venue].connect(lambda: self._now_ns() // MS_NS)
        try:
            await self._learn(venue, connected)
        finally:
            await connected.close()

    async def _learn(self, venue: str, connected: ConnectedVenue) -> None:
        """Keep what the venue lists now, and tell what has changed."""
        found = await connected.instruments()
        await self._read_clock(venue, connected)
        told = await self._db.write(partial(listed.learn, venue=venue, listed=found, now_ns=self._now_ns()))
        for text in told:
            log.warning("instrument_changed", venue=venue, change=text)
        await self._take_over(venue)

    async def _read_clock(self, venue: str, connected: ConnectedVenue) -> None:
        """Compare the clocks, where the venue tells its time; what is wrong is told once, and once that it is over."""
        if not isinstance(connected, ClockedVenue):
            return
        before, found = self._clocks.get(venue), await connected.read_clock()
        self._clocks[venue] = found
        self._measures.clock.labels(venue).set(found.ahead_ms / MS_PER_S)
        if bool(found.fault) != bool(before and before.fault):
            log.warning("venue_clock", venue=venue, ahead_ms=found.ahead_ms, fault=found.fault or "none any more")

    def _only_reduces(self, venue: str) -> str:
        """Why nothing that adds may leave for a venue: its clock is apart."""
        found = self._clocks.get(venue)
        return "" if found is None else found.fault

    async def _take_over(self, venue: str) -> None:
        """Use what the store has of a venue's list, whoever has read it."""
        learnt_ns = await self._db.read(partial(listed.learnt_ns, venue=venue))
        if learnt_ns != self._learnt.get(venue, 0):
            self._market.at(venue).instruments.learn(await self._db.read(partial(listed.load_listed, venue=venue)))
            self._learnt[venue] = learnt_ns

    async def _drive(self, venue: str, account: str) -> None:
        """Drive an account whenever its lease is held, for as long as it is at the venue."""
        entry, market, plug = self._entries[venue], self._market.at(venue), self._plugs[venue]
        lease = VenueLease(self._db, account, plug.traits, self._clock, ttl_s=entry.lease_ttl_s)
        connected = await plug.connect(lease.signing_ms, lambda key: KeyNonces(self._db, key, lease, self._clock))
        pace = connected.pace if isinstance(connected, PacedVenue) else unpaced
        dispatcher = Dispatcher(
            self._db, market, lambda _: connected, self._clock, self._sent, pace, partial(self._only_reduces, venue)
        )
        reconciler = Reconciler(self._db, market, connected, account, self._clock)
        hooks = DriverHooks(partial(self._learn, venue, connected), partial(self._compared, venue, account))
        driver = VenueDriver(connected, reconciler, dispatcher, lease, self._clock, poll_s=entry.poll_s, hooks=hooks)
        self._drivers[venue] = driver
        running = asyncio.create_task(driver.run(), name=f"driver {venue}")
        watching = asyncio.create_task(self._watch(venue, account, driver, connected), name=f"watch {venue}")
        try:
            await asyncio.wait((running, watching), return_when=asyncio.FIRST_COMPLETED)
            for task in (running, watching):
                if task.done():
                    task.result()
        finally:
            await end(running, watching)
            self._drivers.pop(venue, None)
            self._measures.driven.labels(venue).set(0)
            await connected.close()

    async def _watch(self, venue: str, account: str, driver: VenueDriver, connected: ConnectedVenue) -> None:
        """Store how the link is doing where this process drives it, and hear who asks for a comparison."""
        told, heard_ns, read_at = None, self._now_ns(), self._clock.monotonic()
        while True:
            await self._take_over(venue)
            if driver.status.state is LinkState.CONNECTED and self._clock.monotonic() - read_at >= CLOCK_EVERY_S:
                read_at = self._clock.monotonic()
                await self._look_at_clock(venue, connected)
            status, used, clock = self._status(venue, driver), connected.weight_used, self._clocks.get(venue)
            self._measures.driven.labels(venue).set(status.state is LinkState.CONNECTED)
            if status.state is not LinkState.ELSEWHERE and (status, used, clock) != told:
                save = partial(states.save_state, account_name=account, state=status.state.value, detail=status.detail)
                ahead_ms = None if clock is None else clock.ahead_ms
                await self._db.write(partial(save, weight_used=used, ahead_ms=ahead_ms))
                told = status, used, clock
            self._measures.weight.labels(venue).set(used or 0)
            (record,) = await self._db.read(partial(states.records, account_name=account))
            if record.asked_ns > heard_ns:
                heard_ns = record.asked_ns
                driver.ask()
            await self._clock.sleep(LOOK_S)

    async def _look_at_clock(self, venue: str, connected: ConnectedVenue) -> None:
        """Compare the clocks again; where that fails the link itself finds out whether it is broken."""
        try:
            await self._read_clock(venue, connected)
        except (QmtlError, VenueRefused) as error:
            log.warning("venue_clock_not_read", venue=venue, error=str(error))

    def _status(self, venue: str, driver: VenueDriver) -> LinkStatus:
        """How a link is doing: how far a comparison has come, and whether the clocks are apart."""
        status, apart = driver.status, self._only_reduces(venue)
        if status.state is LinkState.CONNECTED and apart:
            return LinkStatus(LinkState.CLOCK_APART, "; ".join(filter(None, (apart, status.detail))))
        if driver.doing and status.state in (LinkState.RECONCILING, LinkState.CONNECTED):
            return LinkStatus(status.state, "; ".join(filter(None, (status.detail, driver.doing))))
        return status

    async def _compared(self, venue: str, account: str, found: Found) -> None:
        """Store what a comparison found; until it first explains everything, compare again at once."""
        self._measures.compared.labels(venue).inc()
        self._measures.differences.labels(venue).set(len(found.differences))
        now_ns = self._now_ns()

        def save(conn: Connection) -> VenueRecord:
            (before,) = states.records(conn, account_name=account)
            states.compared(conn, account, found.differences, now_ns)
            return before

        before, driver = await self._db.write(save), self._drivers.get(venue)
        if not before.opened_ns and not found.differences:
            log.info("venue_account_opened", venue=venue, account=account)
        elif not before.opened_ns and driver is not None and list(before.differences) != found.differences:
            driver.ask()

    async def _pause(self, opened: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                await opened.wait()
        except TimeoutError:
            return

    def _now_ns(self) -> int:
        return to_ns(self._clock.now())
