"""The paper venue behind the port: takes orders in and says what it has of them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.accounts.cash import load_cash
from brokerage.books import portfolio
from brokerage.domain.market.mark import SECOND_NS
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.reports import Outcome, VenueAnswer, VenueReport
from brokerage.domain.orders.venue_traits import PAPER, VenueTraits
from brokerage.domain.simulation.arrivals import Arrival
from brokerage.fences import intents
from brokerage.market.context import MarketContext
from brokerage.orders import store as orders_store
from brokerage.orders.store import OrdersOf
from brokerage.venues.paper import store
from brokerage.venues.port import VenueFill
from qmtl.core.clock import Clock
from qmtl.core.instants import to_ns
from qmtl.sql.database import Database

FILLS_MAX = 500
NOT_ON_THE_WIRE = "NOT_ON_THE_WIRE: the order was decided without the venue"


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

    async def submit(self, order_id: str) -> VenueAnswer:
        return await self.db.write(lambda conn: arrive(conn, self.market, order_id, self._now_ns()))

    async def query(self, order_id: str) -> VenueReport | None:
        return await self.db.read(lambda conn: query(conn, self.market, self.account, order_id, self._now_ns()))

    async def open_orders(self, symbol: str = "") -> list[str]:
        def read(conn: Connection) -> list[str]:
            account, arrivals = accounts_store.account(conn, self.account), store.arrivals(conn, self.account)
            return [
                record.id
                for record in orders_store.open_records(conn, self.market.instruments, self.account)
                if symbol in ("", record.order.symbol)
                and (
                    record.acknowledged
                    or arrivals.at_venue(record, account.time(self._now_ns(), record.order.symbol).at_ns)
                )
            ]

        return await self.db.read(read)

    async def fills_since(self, number: int) -> list[VenueFill]:
        of = OrdersOf(self.account)

        def read(conn: Connection) -> list[VenueFill]:
            found = orders_store.fills_after(conn, of, number, FILLS_MAX, self.market.instruments)
            return [
                VenueFill(count, stored.record.id, event.fill)
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
    store.add_arrival(conn, order_id, account.account, Arrival(at_ns, lost))
    return VenueAnswer(Outcome.UNKNOWN if lost or at_ns > here_ns else Outcome.ACCEPTED, order_id)


def query(conn: Connection, market: MarketContext, account_name: str, order_id: str, now_ns: int) -> VenueReport | None:
    """What the venue has of an order whose answer was not heard."""
    for record in orders_store.records(conn, market.instruments, [order_id]):
        if record.on_the_wire:
            time = accounts_store.account(conn, account_name).time(now_ns, record.order.symbol)
            return store.arrivals(conn, account_name).query(record, time)
    return None
