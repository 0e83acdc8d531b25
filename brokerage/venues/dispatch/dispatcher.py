"""Drives orders over the link to their venue: sends what may go, delivers answers, asks about unknown outcomes.

Only the process that drives the venue runs it. A message on its way lives in this process alone: after a kill it is
gone, which is what an unknown outcome is for. With the default link there is never anything to do here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import structlog
from prometheus_client import CollectorRegistry, Counter
from sqlalchemy import Connection

from brokerage.commit_notices import Pulse, either
from brokerage.domain.market.mark import SECOND_NS
from brokerage.domain.orders.reports import Outcome, VenueAct, VenueAnswer
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.fences import intents
from brokerage.fences import store as fences_store
from brokerage.market.configured import MS_NS
from brokerage.market.context import MarketContext
from brokerage.orders.entry import protection
from brokerage.venues.dispatch import emulation, outcomes, pending, send
from brokerage.venues.dispatch.cancel_pacing import CancelPacing
from brokerage.venues.dispatch.pending import PendingIntent
from brokerage.venues.port import Venue, VenueOf
from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.core.instants import to_ns
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import VenueRefused
from qmtl.sql.database import Database

LOOK_S = 1.0
RETRY_S = 0.5
CALLS_MAX = {VenueAct.SUBMIT: 1, VenueAct.REPLACE: 3, VenueAct.CANCEL: 1}  # a replace may be tried, then be two acts

Pace = Callable[[Purpose, int], Awaitable[float]]
"""See to it that so many calls can be sent now: 0.0, or the seconds after which to ask again."""

log = structlog.stdlib.get_logger("qmtl.brokerage.venues.dispatch")


async def unpaced(purpose: Purpose, acts: int) -> float:
    """The pace of a venue that has no request limits."""
    return 0.0


class DispatchMetrics:
    """What the sender counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sent = Counter("qmtl_brokerage_sent_total", "Orders put on the wire.", registry=registry)
        self.paced = Counter("qmtl_brokerage_paced_total", "Sends put off by a request limit.", registry=registry)
        self.lost = Counter("qmtl_brokerage_unknown_total", "Orders whose outcome became unknown.", registry=registry)
        self.resolved = Counter("qmtl_brokerage_resolved_total", "Unknown outcomes resolved.", registry=registry)


class Dispatcher:
    """One loop over the intents of one venue, the market's, whose outcome is not known.

    `run` ends only when cancelled.
    """

    def __init__(
        self,
        db: Database,
        market: MarketContext,
        venue_of: VenueOf,
        clock: Clock,
        measures: DispatchMetrics,
        pace: Pace = unpaced,
        only_reduces: Callable[[], str] = lambda: "",
    ) -> None:
        self._db = db
        self._cancels = CancelPacing()
        self._market = replace(market, may_cancel=self._cancels.may_ask, only_reduces=only_reduces)
        self._venue_of = venue_of
        self._clock = clock
        self._measures = measures
        self._pace = pace
        self.doubtful_at: float | None = None  # when an act last went to the venue of which no answer came, monotonic
        self._looked: asyncio.Event | None = None
        self._wire = Pulse(db, intents.WIRE_SIGNAL)
        self._fences = Pulse(db, fences_store.FENCES_SIGNAL)
        self._sent_once: set[tuple[str, VenueAct, int]] = set()  # cancels of this process without a good answer
        self._flying: dict[tuple[str, VenueAct, int], int] = {}  # when a message of this process reaches the venue

    async def run(self) -> None:
        """Work at once, then whenever an intent is written, a fence moves or something falls due."""
        self._looked = None
        while True:
            wire, fences = self._wire.next(), self._fences.next()
            try:
                wait_s = await self.turn(fences)
            except QmtlError as error:
                log.warning("sender_interrupted", error=str(error))
                wait_s = RETRY_S
            await either(wire, fences, wait_s)

    async def turn(self, fences: asyncio.Event) -> float:
        """Withdraw what a fence bars, look at stops and lists where `fences` is one that was not looked at yet, and
        work; how many seconds until the next turn.
        """
        if self._cancels.end_waits(self._clock.monotonic()):
            self._looked = None  # a list may want them still
        barred, waiting = await self._db.read(self._seen)
        looks = self._looked is not fences
        if barred:
            await self._narrow(barred)
        if looks and await self._look_at_stops():
            self._looked = fences
        return await self.work(None if barred or looks else waiting)

    async def work(self, waiting: Sequence[PendingIntent] | None = None) -> float:
        """Do what is due now for every intent, read anew unless given; how many seconds until the next is due."""
        now_ns = self._now_ns()
        if waiting is None:
            waiting = await self._db.read(partial(pending.pending, at_venue=self._market.venue))
        known = {intent.key for intent in waiting}
        self._flying = {key: due for key, due in self._flying.items() if key in known}
        self._sent_once &= known
        unheard = {intent.order_id for intent in waiting if intent.act is VenueAct.SUBMIT}
        changing = {intent.order_id for intent in waiting if intent.act is VenueAct.REPLACE}
        due = [
            await self._step(intent, now_ns)
            for intent in waiting
            if intent.act is VenueAct.SUBMIT
            or (intent.order_id not in unheard and (intent.act is VenueAct.REPLACE or intent.order_id not in changing))
        ]
        ahead = [at_ns - now_ns for at_ns in due if at_ns is not None]
        return max(min([LOOK_S, *(left / SECOND_NS for left in ahead)]), 0.0)

    def _seen(self, conn: Connection) -> tuple[list[str], list[PendingIntent]]:
        """Accounts to narrow, and the intents whose outcome is not known."""
        venue, kind = self._market.venue, self._market.kind
        return protection.accounts_to_narrow(conn, venue, kind), pending.pending(conn, venue)

    async def _narrow(self, accounts: Iterable[str]) -> None:
        """Protection outlives permission: where a fence narrowed, what could add is withdrawn."""
        now_ns = self._now_ns()
        for account in accounts:
            narrow = partial(protection.narrow_account, market=self._market, account_name=account, now_ns=now_ns)
            await self._in_account(account, narrow)

    async def _look_at_stops(self) -> bool:
        """Whether every account could be looked at."""
        now_ns = self._now_ns()
        done = [
            await self._in_account(
                account,
                partial(emulation.release_reached, market=self._market, account_name=account, now_ns=now_ns),
            )
            for account in await self._db.read(partial(emulation.accounts_with_stops, venue=self._market.venue))
        ]
        return all(done)

    async def _in_account(self, account: str, act: Callable[[Connection], int]) -> bool:
        """Act on one account; whether that went well. An account that cannot be acted on holds up no other."""
        try:
            await self._db.write(act)
        except QmtlError as error:
            log.warning("account_interrupted", account=account, error=str(error))
            return False
        return True

    async def _step(self, intent: PendingIntent, now_ns: int) -> int | None:
        """One step for one intent; one that cannot be made is told and tried again, and holds up no other order."""
        try:
            return await self._advance(intent, now_ns)
        except (QmtlError, VenueRefused) as error:
            order = {"account": intent.name.owner.account, "order_id": intent.order_id, "act": intent.act.value}
            log.warning("intent_interrupted", **order, error=str(error))
            return now_ns + int(RETRY_S * SECOND_NS)

    async def _advance(self, intent: PendingIntent, now_ns: int) -> int | None:
        """One step for one intent; when the next is due, None if only something else can move it."""
        if intent.wire_ns is None:
            if intent.key in self._sent_once and (left_s := self._left_s(intent)):
                return now_ns + int(left_s * SECOND_NS)
            due_ns = await self._send(intent, now_ns)
            if due_ns is None or intent.key not in self._flying:
                return due_ns
            return await self._deliver(intent, due_ns, now_ns)  # at once: the fence it was checked against may move
        arrives_ns = self._flying.get(intent.key)
        if arrives_ns is not None:
            return await self._deliver(intent, arrives_ns, now_ns)
        if intent.arrival is not None and intent.arrival.at_ns > (now_ns if intent.data_ns is None else intent.data_ns):
            return None  # it arrives with a bar to come
        if intent.arrival is not None and not intent.arrival.answer_lost:
            await self._db.write(lambda conn: outcomes.answer(conn, self._market, intent.name, intent.order_id, now_ns))
            return None
        return await self._doubt(intent, intent.wire_ns, now_ns)

    def _left_s(self, intent: PendingIntent) -> float:
        """How long a cancel that no answer came to is not to go again."""
        return self._cancels.left_s(intent.order_id, self._clock.monotonic())

    async def _send(self, intent: PendingIntent, now_ns: int) -> int | None:
        put = {
            VenueAct.SUBMIT: send.to_wire,
            VenueAct.REPLACE: send.replace_to_wire,
            VenueAct.CANCEL: send.cancel_to_wire,
        }
        wait_s = await self._wait_s(intent)
        went = await self._db.write(
            lambda conn: put[intent.act](conn, self._market, intent.name, intent.order_id, now_ns, paced=wait_s > 0)
        )
        if wait_s:
            return now_ns + int(wait_s * SECOND_NS)
        if not went:
            return None
        self._measures.sent.inc()
        self._flying[intent.key] = now_ns + self._market.link.latency_ms * MS_NS
        return self._flying[intent.key]

    async def _wait_s(self, intent: PendingIntent) -> float:
        """How long the venue's request limits put an act off; 0.0: what it may take is ours. Calls that are on their
        way have theirs already.
        """
        flying = sum(CALLS_MAX[act] for _, act, _ in self._flying)
        try:
            wait_s = await self._pace(intent.purpose, flying + CALLS_MAX[intent.act])
        except QmtlError as error:
            log.warning("pace_unknown", order_id=intent.order_id, act=intent.act.value, error=str(error))
            wait_s = RETRY_S
        if wait_s:
            self._measures.paced.inc()
            log.debug("send_paced", order_id=intent.order_id, act=intent.act.value, wait_s=wait_s)
        return wait_s

    async def _deliver(self, intent: PendingIntent, arrives_ns: int, now_ns: int) -> int:
        if arrives_ns > now_ns:
            return arrives_ns
        venue = self._venue_of(intent.name.owner.account)
        order, by = await self._orders(intent, venue)
        del self._flying[intent.key]
        answer = VenueAnswer(Outcome.UNKNOWN)
        try:
            if order is not None and intent.act is VenueAct.SUBMIT:
                answer = await venue.submit(order)
            elif order is not None and intent.act is VenueAct.CANCEL:
                answer = await venue.cancel(order)
            elif order is not None and by is not None:
                answer = await venue.replace(order, by)
        finally:
            if answer.outcome is Outcome.UNKNOWN:
                self.doubtful_at = self._clock.monotonic()
            if intent.act is VenueAct.CANCEL and answer.outcome is not Outcome.ACCEPTED:
                self._cancels.failed(intent.order_id, self._clock.monotonic())
                self._sent_once.add(intent.key)
        heard = partial(outcomes.heard, market=self._market, name=intent.name, order_id=intent.order_id)
        await self._db.write(lambda conn: heard(conn, act=intent.act, answer=answer, now_ns=now_ns))
        return now_ns

    async def _orders(self, intent: PendingIntent, venue: Venue) -> tuple[VenueOrder | None, VenueOrder | None]:
        """An order as its venue has it, and as a pending replace wants it."""
        read = partial(outcomes.orders_at_venue, market=self._market, order_id=intent.order_id)
        return await self._db.read(lambda conn: read(conn, length_max=venue.traits.order_id_length_max))

    async def _doubt(self, intent: PendingIntent, wire_ns: int, now_ns: int) -> int | None:
        """No answer where one could have come: unknown at first, then the venue is asked.

        An instant ahead of now was stored before the clock was set back: its wait is over.
        """
        link = self._market.link
        if intent.unresolved_ns is None:
            if wire_ns <= now_ns < (due_ns := wire_ns + link.answer_timeout_ns):
                return due_ns
            await self._db.write(
                lambda conn: outcomes.lose(conn, self._market, intent.name, intent.order_id, now_ns, intent.act)
            )
            self._measures.lost.inc()
            return now_ns + link.query_after_ns
        if intent.unresolved_ns <= now_ns < (due_ns := intent.unresolved_ns + link.query_after_ns):
            return due_ns
        if await self._ask(intent, now_ns):
            self._measures.resolved.inc()
        return None

    async def _ask(self, intent: PendingIntent, now_ns: int) -> bool:
        """Ask the venue about an act of unknown outcome, a replace under its new id first; whether it is known now."""
        venue = self._venue_of(intent.name.owner.account)
        order, by = await self._orders(intent, venue)
        if order is None:
            return False
        found = None if by is None else await venue.query(by)
        if by is not None and found is None:
            return False  # it may be on its way, whatever has become of the one that it replaces
        if intent.act is VenueAct.REPLACE and found is not None and found.kind is EventKind.ACCEPTED:
            answer = VenueAnswer(Outcome.ACCEPTED, reason=found.reason)
            heard = partial(outcomes.heard, market=self._market, name=intent.name, order_id=intent.order_id)
            await self._db.write(lambda conn: heard(conn, act=intent.act, answer=answer, now_ns=now_ns))
            return True
        found = await venue.query(order)
        if found is None:
            return False
        resolve = partial(outcomes.resolve, market=self._market, name=intent.name, found=found, act=intent.act)
        return await self._db.write(lambda conn: resolve(conn))

    def _now_ns(self) -> int:
        return to_ns(self._clock.now())
