"""The paper venue behind the port: takes orders in and says what it has of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.accounts.cash import load_cash
from brokerage.books import portfolio
from brokerage.commit_notices import Pulse
from brokerage.domain.market.mark import SECOND_NS
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.orders.order import venue_order_id
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.reports import Outcome, VenueAct, VenueAnswer, VenueReport
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.orders.venue_order import VenueOrder, replacement_of
from brokerage.domain.orders.venue_traits import PAPER, VenueTraits
from brokerage.domain.simulation.arrivals import FOUND, NOT_AT_VENUE, Arrival
from brokerage.fences import intents
from brokerage.market.context import MarketContext
from brokerage.orders import store as orders_store
from brokerage.orders.store import OrdersOf
from brokerage.venues.paper import store
from brokerage.venues.port import VenueEvent, VenueFill
from qmtl.core.clock import Clock
from qmtl.core.instants import to_ns
from qmtl.sql.database import Database

PAGE_MAX = 500
LOOK_S = 1.0
NOT_ON_THE_WIRE = "NOT_ON_THE_WIRE: the order was decided without the venue"
NOT_WORKING = "NOT_WORKING: no order works here under this id"
_TOLD = frozenset(
    {
        EventKind.ACCEPTED,
        EventKind.REJECTED,
        EventKind.CANCELED,
        EventKind.EXPIRED,
        EventKind.TRIGGERED,
        EventKind.UPDATED,
        EventKind.FILLED,
    }
)


@dataclass(frozen=True, slots=True)
class PaperVenue:
    """One account at the paper venue, which lives in the store of this brokerage."""

    db: Database
    market: MarketContext
    clock: Clock
    account: str

    @property
    def traits(self) -> VenueTraits:
        return PAPER

    async def submit(self, order: VenueOrder) -> VenueAnswer:
        return await self.db.write(lambda conn: arrive(conn, self.market, order.order_id, self._now_ns()))

    async def replace(self, order: VenueOrder, by: VenueOrder) -> VenueAnswer:
        return await self.db.write(lambda conn: change(conn, self.market, order, by, self._now_ns()))

    async def cancel(self, order: VenueOrder) -> VenueAnswer:
        return await self.db.write(lambda conn: end(conn, self.market, order, self._now_ns()))

    async def query(self, order: VenueOrder) -> VenueReport | None:
        return await self.db.read(lambda conn: query(conn, self.market, self.account, order, self._now_ns()))

    async def stream(self, after: int = 0) -> AsyncGenerator[VenueEvent, None]:
        told = Pulse(self.db, orders_store.ORDERS_SIGNAL)
        try:
            while True:
                beat, start = told.next(), after
                events, after = await self.db.read(
                    partial(_events_after, market=self.market, of=self.account, at=start)
                )
                for event in events:
                    yield event
                if after == start:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_S):
                            await beat.wait()
        finally:
            told.forget()

    async def open_orders(self, symbol: str = "") -> list[str]:
        def read(conn: Connection) -> list[str]:
            records = orders_store.open_records(conn, self.market.instruments, self.account)
            wanted = [record for record in records if symbol in ("", record.order.symbol)]
            return [found for record in wanted if (found := _id_at_venue(conn, record, self._now_ns()))]

        return await self.db.read(read)

    async def fills_since(self, number: int) -> list[VenueFill]:
        of = OrdersOf(self.account)

        def read(conn: Connection) -> list[VenueFill]:
            found = orders_store.fills_after(conn, of, number, PAGE_MAX, self.market.instruments)
            return [
                VenueFill(count, venue_order_id(stored.record.id, stored.record.generation), event.fill)
                for stored, event, count in found
                if event.fill is not None
            ]

        return await self.db.read(read)

    async def balances(self) -> dict[str, Decimal]:
        cash = await self.db.read(lambda conn: load_cash(conn, self.account))
        return {currency: Decimal(amount).scaleb(-currency_scale(currency)) for currency, amount in cash.items()}

    async def positions(self) -> dict[str, Decimal]:
        def read(conn: Connection) -> dict[str, Decimal]:
            views = portfolio.netted(conn, self.market, accounts_store.account(conn, self.account))
            return {view.symbol: view.quantity for _, view in views if view.quantity}

        return await self.db.read(read)

    def _now_ns(self) -> int:
        return to_ns(self.clock.now())


def arrive(conn: Connection, market: MarketContext, order_id: str, now_ns: int) -> VenueAnswer:
    """The venue takes an order in, as far away in bars as the link says. What was decided without it it refuses."""
    row = intents.unanswered(conn, order_id)
    if row is None or row.wire_ns is None:
        return VenueAnswer(Outcome.REJECTED, reason=NOT_ON_THE_WIRE)
    account = accounts_store.account(conn, row.account)
    symbol = orders_store.symbol_of(conn, order_id)
    feed, here_ns = account.feed(symbol), account.time(now_ns, symbol).at_ns
    at_ns = store.released_ns(conn, order_id)
    if market.link.latency_ms:
        at_ns = max(at_ns, here_ns)
    at_ns += market.link.latency_bars * (feed.interval_s if feed is not None else 0) * SECOND_NS
    lost = market.link.loses_answer(order_id)
    came = store.add_arrival(conn, order_id, account.account, Arrival(at_ns, lost))
    unknown = came.answer_lost or came.at_ns > here_ns
    return VenueAnswer(Outcome.UNKNOWN if unknown else Outcome.ACCEPTED, order_id, at_ns=came.at_ns)


def end(conn: Connection, market: MarketContext, order: VenueOrder, now_ns: int) -> VenueAnswer:
    """The venue ends an order that works there. Once: a repeat is answered as the first."""
    done = store.change(conn, order.venue_order_id, VenueAct.CANCEL)
    if done is None:
        if _working(conn, market, order, now_ns) is None:
            return VenueAnswer(Outcome.REJECTED, reason=NOT_WORKING)
        done = _done(conn, market, order, order.venue_order_id, VenueAct.CANCEL, now_ns)
    return _answer(done, order.venue_order_id)


def change(conn: Connection, market: MarketContext, order: VenueOrder, by: VenueOrder, now_ns: int) -> VenueAnswer:
    """The venue has an order work under other terms. Once: a repeat is answered as the first."""
    done = store.change(conn, by.venue_order_id, VenueAct.REPLACE)
    if done is None:
        record = _working(conn, market, order, now_ns)
        if record is None or replacement_of(record) != by:
            return VenueAnswer(Outcome.REJECTED, reason=NOT_WORKING)
        done = _done(conn, market, order, by.venue_order_id, VenueAct.REPLACE, now_ns)
    return _answer(done, by.venue_order_id)


def query(
    conn: Connection, market: MarketContext, account_name: str, order: VenueOrder, now_ns: int
) -> VenueReport | None:
    """What the venue has under an order's venue id."""
    account = accounts_store.account(conn, account_name)
    time = account.time(now_ns, order.order.symbol)
    for record in orders_store.records(conn, market.instruments, [order.order_id]):
        if record.on_the_wire:
            return store.arrivals(conn, account_name).query(record, time)
        if store.change(conn, order.venue_order_id, VenueAct.CANCEL) is not None:
            return VenueReport(record.id, EventKind.CANCELED, time, reason=FOUND)
        known = record.acknowledged and order.venue_order_id == venue_order_id(record.id, record.generation)
        if known or store.change(conn, order.venue_order_id, VenueAct.REPLACE) is not None:
            kind = EventKind(record.state.value) if record.closed else EventKind.ACCEPTED
            return VenueReport(record.id, kind, time, reason=FOUND)
    return VenueReport(order.order_id, EventKind.CANCELED, time, reason=NOT_AT_VENUE)


def _working(conn: Connection, market: MarketContext, order: VenueOrder, now_ns: int) -> OrderRecord | None:
    """The order that works at the venue under an id."""
    for record in orders_store.records(conn, market.instruments, [order.order_id]):
        if not record.closed and order.venue_order_id == _id_at_venue(conn, record, now_ns):
            return record
    return None


def _id_at_venue(conn: Connection, record: OrderRecord, now_ns: int) -> str:
    """The id under which an open order works at the venue, heard of or not; empty: it does not."""
    account = accounts_store.account(conn, record.order.owner.account)
    here_ns = account.time(now_ns, record.order.symbol).at_ns
    if not record.acknowledged and not store.arrivals(conn, account.account).at_venue(record, here_ns):
        return ""
    found, newest = (venue_order_id(record.id, count) for count in (record.generation, record.replaces))
    if store.change(conn, newest, VenueAct.REPLACE) is not None:
        found = newest
    return "" if store.change(conn, found, VenueAct.CANCEL) is not None else found


def _done(
    conn: Connection, market: MarketContext, order: VenueOrder, venue_id: str, act: VenueAct, now_ns: int
) -> store.Change:
    owner = order.order.owner
    time = accounts_store.account(conn, owner.account).time(now_ns, order.order.symbol)
    done = store.Change(time.at_ns, market.link.loses_answer(f"{venue_id}/{act.value}"))
    store.add_change(conn, owner.account, order.order_id, venue_id, act, done)
    return done


def _answer(done: store.Change, venue_id: str) -> VenueAnswer:
    return VenueAnswer(Outcome.UNKNOWN if done.answer_lost else Outcome.ACCEPTED, venue_id, at_ns=done.at_ns)


def _events_after(conn: Connection, market: MarketContext, of: str, at: int) -> tuple[list[VenueEvent], int]:
    """The next of what happened at the venue, and the place it was read up to."""
    found, reached = orders_store.events_after(conn, OrdersOf(of), at, PAGE_MAX, market.instruments)
    return [
        VenueEvent(number, _report_of(event)) for stored, event, number in found if _is_of_venue(stored, event)
    ], reached


def _is_of_venue(stored: StoredOrder, event: OrderEvent) -> bool:
    """Whether an event is the venue's word: not ours, of an order that was sent."""
    sent = any(before.kind is EventKind.SUBMITTED for before in stored.events[: event.seq - 1])
    return sent and event.kind in _TOLD and not event.unresolved


def _report_of(event: OrderEvent) -> VenueReport:
    time = EventTime(event.at_ns, event.received_ns)
    terms = event.terms if event.kind is EventKind.UPDATED else None
    return VenueReport(event.order_id, event.kind, time, event.fill, event.detail, terms=terms)
