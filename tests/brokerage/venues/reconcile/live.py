"""An account of a store at the local exchange, driven as the service drives it, on a clock that stands still."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal

from prometheus_client import CollectorRegistry

from brokerage.accounts import opening
from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account, AccountFeed, AccountType, TradingState
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.latency import Link
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.order import Contingency, Order, OrderName, Owner, Side, venue_order_id
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderType
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.domain.risk.fence import GateStamp, VenueKind
from brokerage.domain.trading.replacement import Change, Replace
from brokerage.fences import change
from brokerage.market.context import MarketContext
from brokerage.orders import store as orders_store
from brokerage.orders.entry import submit as orders_submit
from brokerage.orders.entry.cancel import cancel_order
from brokerage.orders.entry.replace import replace_order
from brokerage.orders.entry.submit_list import submit_list
from brokerage.orders.store import OrdersOf
from brokerage.venues.ccxt.venue import CcxtVenue
from brokerage.venues.dispatch import outcomes
from brokerage.venues.dispatch.dispatcher import Dispatcher, DispatchMetrics
from brokerage.venues.lease import VenueLease
from brokerage.venues.reconcile.reconcile import APART_S, Found, Reconciler
from brokerage.verify import verify_books
from qmtl.core.clock import Clock, VirtualClock
from qmtl.core.decimals import to_scaled
from qmtl.core.instants import to_ns
from qmtl.core.limits import UNLIMITED
from qmtl.core.modes import EffectiveMode, ExecutionDomain
from qmtl.exchanges.connection import Connection
from qmtl.sql.database import Database
from tests.brokerage.samples import ACTOR, WORLD, fence
from tests.brokerage.venues.ccxt.counting import Counting
from tests.brokerage.venues.reconcile.places import BINANCE, ExchangeClient, Place
from tests.exchange.binance.client import clocked
from tests.exchange.core.exchange import Exchange
from tests.support.clocks import START
from tests.support.shared.stores import lay_store

OWNER = Owner("acc", WORLD, "s1")
LEVERAGE = 5
LIVE_GATE = GateStamp(1, RATE_ONE, ExecutionDomain.LIVE, False)
LINK = Link(remote=True, answer_timeout_ns=3 * 10**8, query_after_ns=3 * 10**8)


def account_at(place: Place) -> Account:
    """The account that the tests open."""
    return Account(
        account=OWNER.account,
        type=place.kind,
        venue=place.name,
        base_currency=place.money,
        starting_cash=0,
        fee_rate=100_000,
        leverage=1 if place.kind is AccountType.CASH else LEVERAGE,
        trading_state=TradingState.ACTIVE,
        created_ns=to_ns(START),
        feeds=tuple(AccountFeed("live", symbol, symbol, 60) for symbol in place.symbols),
    )


def live_market(known: Iterable[Instrument], place: Place) -> MarketContext:
    """The exchange's context, live."""
    return MarketContext(
        Instruments(known, place.name),
        BrokerageProfile(),
        link=LINK,
        venue=place.name,
        kind=VenueKind.LIVE,
        traits=place.traits,
    )


class Live:
    """A store, an exchange and what drives orders between them. `restart` forgets all but the store."""

    def __init__(self, db: Database, client: ExchangeClient, clock: Clock, market: MarketContext, place: Place) -> None:
        self.place = place
        self.nonces = Counting() if place.counts else None
        self.db = db
        self.client = client
        self.clock = clock
        self.market = market
        self.lease = VenueLease(db, OWNER.account, place.traits, clock)
        self.leased = False
        self.restart()

    @property
    def address(self) -> str:
        """Where the exchange is served."""
        return self.client.address

    @property
    def exchange(self) -> Exchange:
        return self.client.exchange

    def restart(self) -> None:
        """Begin anew with the store as it is."""
        known = {
            symbol: one for symbol in self.place.symbols if (one := self.market.instruments.find(symbol)) is not None
        }
        self.venue = CcxtVenue(self.place.dialect(), self._connection(), self.clock, known)
        metrics = DispatchMetrics(CollectorRegistry())
        self.dispatcher = Dispatcher(self.db, self.market, lambda _: self.venue, self.clock, metrics)
        apart_s = APART_S if isinstance(self.clock, VirtualClock) else 0.0
        self.reconciler = Reconciler(self.db, self.market, self.venue, OWNER.account, self.clock, apart_s=apart_s)

    def _connection(self) -> Connection:
        signed_at = self.lease.signing_ms if self.leased else None
        return Connection(self.client.ccxt, self.clock, signed_at=signed_at, nonces=self.nonces)

    async def open(self) -> None:
        """Open the account, with what the exchange has of it."""
        account = account_at(self.place)
        await self.db.write(lambda conn: opening.open_account(conn, account, WORLD, ACTOR))
        await self.db.write(lambda conn: change.set_fence(conn, fence(1, mode=EffectiveMode.LIVE), ACTOR, 5))
        for symbol, price in zip(self.place.symbols, (100, 10), strict=True):
            instrument, feed = self.market.instruments.find(symbol), account.feed(symbol)
            assert instrument is not None
            assert feed is not None
            mark = Mark(instrument.price_units(Decimal(price)), self._now_ns(), 0)
            await self.db.write(lambda conn, feed=feed, mark=mark: accounts_store.save_mark(conn, feed, mark))  # type: ignore[misc]
        await self.compare(2)

    async def order(
        self, name: str, side: Side = Side.BUY, quantity: str = "0.1", price: str | None = "98",
        decided_ns: int | None = None,
    ) -> StoredOrder:  # fmt: skip
        """Have an order taken, in bitcoin; it is on its way when this returns."""
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        limit = None if price is None else Decimal(price)
        at = self.place
        asked = Order(OWNER, name, at.btc, side, Decimal(quantity), kind, limit_price=limit, venue=at.name)
        asked = dataclasses.replace(asked, decided_ns=decided_ns)
        return (
            await self.db.write(lambda conn: orders_submit.submit(conn, self.market, asked, LIVE_GATE, self._now_ns()))
        )[0]

    async def bracket(self) -> None:
        """Have a purchase at 98 taken, with a target at 110 that waits for it."""
        symbol, venue = self.place.btc, self.place.name
        asked = Order(OWNER, "entry", symbol, Side.BUY, Decimal("0.1"), OrderType.LIMIT, limit_price=Decimal(98))
        entry = dataclasses.replace(asked, venue=venue, list_id="l1", contingency=Contingency.OTO, linked=("target",))
        target = dataclasses.replace(
            asked,
            client_order_id="target",
            side=Side.SELL,
            limit_price=Decimal(110),
            venue=venue,
            list_id="l1",
            parent="entry",
            reduce_only=True,
        )
        await self.db.write(lambda conn: submit_list(conn, self.market, [entry, target], LIVE_GATE, self._now_ns()))

    async def replace(self, name: str, **change: str) -> None:
        """Have an order changed; the replace is on its way when this returns."""
        decimals = {field: Decimal(value) for field, value in change.items()}
        wanted = Replace(OrderName(OWNER, name), f"r{self._now_ns()}", Change(**decimals))  # type: ignore[arg-type]
        await self.db.write(lambda conn: replace_order(conn, self.market, wanted, LIVE_GATE, self._now_ns(), UNLIMITED))

    async def cancel(self, name: str) -> StoredOrder:
        """Have an order cancelled; the cancel is on its way when this returns."""
        of = OrderName(OWNER, name)
        return await self.db.write(lambda conn: cancel_order(conn, self.market, of, self._now_ns()))

    async def dispatch_now(self) -> None:
        """One round of what is due."""
        await self.dispatcher.work()

    async def dispatch(self, times: int = 3) -> None:
        """Let orders, cancels and questions go to the exchange, and hear its answers."""
        for _ in range(times):
            await self.dispatcher.work()
            self.advance(0.01)

    def advance(self, seconds: float) -> None:
        """Let time pass on a clock that stands still."""
        assert isinstance(self.clock, VirtualClock)
        self.clock.advance(seconds)

    async def at_venue(self, order_id: str) -> VenueOrder:
        """An order as it goes to the exchange."""
        length = self.place.traits.order_id_length_max
        read = await self.db.read(lambda conn: outcomes.orders_at_venue(conn, self.market, order_id, length))
        assert read[0] is not None
        return read[0]

    async def settle(self) -> Found:
        """Let everything come to rest: outcomes that are unknown are asked about until they are known. The outcome of a
        replace may wait for a fill that only the comparison books.
        """
        for _ in range(3):
            for _ in range(12):
                await self.dispatch()
                self.advance(1.5)
            found = await self.compare(3)
            if all(record.closed or record.wanted is None for record in (await self.records()).values()):
                break
        return found

    async def compare(self, times: int) -> Found:
        """Compare so often that what differs is believed."""
        found = await self.reconciler.reconcile()
        for _ in range(times - 1):
            if isinstance(self.clock, VirtualClock):
                self.clock.advance(APART_S + 1)
            found = await self.reconciler.reconcile()
        return found

    async def records(self) -> dict[str, OrderRecord]:
        """Every order that is known, ours or not, by its client order id."""

        def read(conn) -> list[StoredOrder]:  # type: ignore[no-untyped-def]
            return orders_store.load_orders(conn, self.market.instruments)

        return {one.record.order.client_order_id: one.record for one in await self.db.read(read)}

    async def booked(self) -> list[tuple[str, str, int, int, int, str]]:
        """What is booked of trades: symbol, id, price, quantity, fee and its currency."""
        read = await self.db.read(
            lambda conn: orders_store.fills_after(conn, OrdersOf(OWNER.account), 0, 10_000, self.market.instruments)
        )
        return sorted(
            (stored.order.symbol, fill.trade_id, fill.price, fill.quantity, fill.fee, fill.fee_currency)
            for stored, event, _ in read
            if (fill := event.fill) is not None
        )

    async def require_books_of_the_exchange(self) -> None:
        """Our books are the exchange's: trades, orders, balances; and they are the replay of their events."""
        await self.db.read(lambda conn: verify_books(conn, self.market))
        assert await self.booked() == self._traded()
        by_id = {record.id: record for record in (await self.records()).values()}
        sent = [order for order in self.exchange.orders.values() if order.account == "client"]
        ids, length = [order.ask.client_id for order in sent], self.place.traits.order_id_length_max
        for identity, record in by_id.items():
            if record.order.owner == OWNER:
                assert ids.count(identity[:length]) <= 1, f"{record.order.client_order_id} is at the exchange twice"
                working = venue_order_id(identity, record.generation, length)
                there = next((order for order in sent if order.ask.client_id == working), None)
                assert record.closed or there is not None
                if there is not None and record.replaces:
                    assert record.closed is not there.status.open
                elif there is not None:
                    assert record.state.value in (there.status.value, {"NEW": "ACCEPTED"}.get(there.status.value))
                else:
                    assert record.filled == 0

    def _traded(self) -> list[tuple[str, str, int, int, int, str]]:
        names = {market_id: symbol for symbol, market_id in self.place.symbols.items()}
        found = []
        for done in self.exchange.executions("client"):
            instrument = self.market.instruments.find(names[done.symbol])
            assert instrument is not None
            quantity = to_scaled(done.quantity, instrument.quantity_scale)
            fee = int(done.fee * 10**8)
            price = instrument.price_units(done.price)
            found.append((names[done.symbol], self.place.trade_name(done), price, quantity, fee, done.fee_asset))
        return sorted(found)

    def _now_ns(self) -> int:
        return to_ns(self.clock.now())


@asynccontextmanager
async def living(url: str, clock: Clock | None = None, place: Place = BINANCE) -> AsyncIterator[Live]:
    """An open account at an exchange where it has 10,000 USDT and a bitcoin, until the block ends.

    Without a clock of its own it is on one that stands still.
    """
    lay_store(url, "brokerage")
    clock, db = clock or VirtualClock(START), Database(url)
    await db.migrate("brokerage:migrations")
    exchange = place.opened(clock=clocked(clock))
    async with place.connected(exchange) as client:
        known = await place.dialect().instruments(Connection(client.ccxt, clock))
        live = Live(db, client, clock, live_market(known, place), place)
        try:
            await live.open()
            yield live
        finally:
            await db.close()
