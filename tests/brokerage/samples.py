"""What the tests of this room share: a market, an open account in a store, gated orders, bars in whole dollars."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import sqlalchemy as sa

from brokerage import schema as t
from brokerage import verify as brokerage_verify
from brokerage.accounts import opening, trading_state
from brokerage.accounts import store as accounts_store
from brokerage.audit import Actor
from brokerage.books import portfolio as books_portfolio
from brokerage.books.wire import portfolio_to_proto
from brokerage.domain.accounts.account import Account, AccountFeed, AccountType, TradingState
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import instrument
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.market.ticks import MarketEvent
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.money import RATE_ONE, rate
from brokerage.domain.orders.order import Order, OrderName, Owner, Side
from brokerage.domain.orders.order import order_id as identity
from brokerage.domain.orders.reports import VenueAct
from brokerage.domain.orders.states import OrderState
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.risk.fence import Fence, FenceState, GateStamp, Standings
from brokerage.domain.trading.replacement import Change, Replace
from brokerage.feeds import show as feeds_show
from brokerage.fences import change
from brokerage.fences.change import current as fence_of
from brokerage.market.context import MarketContext
from brokerage.orders import store as orders_store
from brokerage.orders.entry import submit as orders_submit
from brokerage.orders.entry.cancel import cancel_order
from brokerage.orders.entry.replace import Replaced, replace_order
from brokerage.venues.dispatch import emulation, outcomes, reported_fills, send
from brokerage.venues.paper import venue
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import reported_fill_service_pb2 as reportedfillservicepb
from qmtl.core.limits import UNLIMITED, RiskLimits
from qmtl.core.modes import EffectiveMode, ExecutionDomain
from qmtl.sql.database import Database
from qmtl.wire.instants import ns_to_proto
from tests.support.shared.stores import lay_store

MINUTE = 60_000_000_000
LIMIT_NAMES = RiskLimits.__slots__
WORLD = "w1"
OWNER = Owner("acc", WORLD, "s1")
STOCK = instrument("AAPL", base="AAPL", quote="USD", price_places=2)
MARKET = MarketContext(Instruments([STOCK]), BrokerageProfile())
STANDINGS: Standings = frozenset(
    (who, side) for who in (*(f"s{n}" for n in range(16)), "other", "another") for side in Side
)
GATE = GateStamp(1, RATE_ONE, ExecutionDomain.DRYRUN, False)
ACTOR = Actor("alice", "c1")
FEED = ("demo", "session-1")

ACCOUNT = Account(
    account="acc",
    type=AccountType.CASH,
    venue="paper",
    base_currency="USD",
    starting_cash=100_000 * 10**8,
    fee_rate=rate("0.001"),
    leverage=1,
    trading_state=TradingState.ACTIVE,
    created_ns=1,
    feeds=(AccountFeed(*FEED, symbol="AAPL", interval_s=60),),
)


def bar(minute: int, opened: int = 100, volume: int = 10_000) -> Bar:
    """A bar that opens at a price in dollars and stays within two of it."""
    price = opened * 100
    return Bar(minute * MINUTE, (minute + 1) * MINUTE, price, price + 200, price - 200, price + 100, volume)


def order(client_order_id: str, side: Side = Side.BUY, quantity: int = 10, **changes: object) -> Order:
    made = Order(OWNER, client_order_id, "AAPL", side, Decimal(quantity))
    return replace(made, **changes)  # type: ignore[arg-type]  # the test names real fields


def reported(trade_id: str, client_order_id: str = "o1", **changes: str) -> reportedfillservicepb.ReportedFill:
    """A fill of an order as somebody outside tells of it."""
    key = orderpb.OrderKey(
        account=OWNER.account,
        world_id=OWNER.world_id,
        strategy_id=OWNER.strategy_id,
        client_order_id=client_order_id,
    )
    fill = reportedfillservicepb.ReportedFill(
        key=key,
        symbol="AAPL",
        venue="paper",
        side=orderpb.ORDER_SIDE_BUY,
        trade_id=trade_id,
        quantity="10",
        price="100.5",
        fee="0.25",
        fee_currency="USD",
        liquidity_side=orderpb.LIQUIDITY_SIDE_TAKER,
        venue_time=ns_to_proto(90 * 10**9),
    )
    fill.MergeFrom(reportedfillservicepb.ReportedFill(**changes))  # type: ignore[arg-type]  # the test names text fields
    return fill


def fence(
    epoch: int,
    state: FenceState = FenceState.OPEN,
    mode: EffectiveMode = EffectiveMode.PAPER,
    limits: RiskLimits = UNLIMITED,
    standings: Standings = STANDINGS,
) -> Fence:
    return Fence(WORLD, epoch, state, mode, limits, standings)


def without_price(conn: sa.Connection, name: str = "other") -> None:
    """Put an account on a feed that has brought no bar yet."""
    feeds = t.account_feeds
    conn.execute(sa.update(feeds).where(feeds.c.account == name).values(session_id="silent"))


class Book:
    """One store, driven as the service drives it."""

    def __init__(self, db: Database, market: MarketContext = MARKET) -> None:
        self.db = db
        self.market = market

    async def open(self, account: Account = ACCOUNT, *, world: str = WORLD, fenced: bool = True) -> Account:
        """Open an account for a world, of the type that the market's buying power is."""
        typed = replace(
            account,
            type=AccountType(self.market.profile.buying_power.value),
            leverage=self.market.profile.leverage,
        )
        opened = await self.db.write(lambda conn: opening.open_account(conn, typed, world, ACTOR))
        if fenced:
            await self.fence(fence(1))
        return opened

    async def fence(self, wanted: Fence) -> list[str]:
        """Move the fence; the orders its reply lists as on the wire."""
        answer = await self.db.write(lambda conn: change.set_fence(conn, wanted, ACTOR, 5))
        return [intent.client_order_id for intent in answer[2]]

    async def show(self, *bars: MarketEvent, watermark_ns: int = 0) -> int:
        return await self.db.write(lambda conn: feeds_show.show_bars(conn, self.market, FEED, bars, watermark_ns, 7))

    async def submit(self, wanted: Order, gate: GateStamp = GATE, now_ns: int = 6) -> StoredOrder:
        seen = (await self.db.read(lambda conn: change.current(conn, wanted.owner.world_id)))[0].limits
        return (await self.db.write(lambda conn: orders_submit.submit(conn, self.market, wanted, gate, now_ns, seen)))[
            0
        ]

    async def book_fills(self, *fills: reportedfillservicepb.ReportedFill) -> tuple[int, int]:
        reports = [reported_fills.report_from_proto(fill) for fill in fills]
        return await self.db.write(lambda conn: reported_fills.book_fills(conn, self.market, reports, 17))

    async def cancel(self, client_order_id: str, owner: Owner = OWNER) -> StoredOrder:
        name = OrderName(owner, client_order_id)
        return await self.db.write(lambda conn: cancel_order(conn, self.market, name, 8))

    async def order(self, client_order_id: str, owner: Owner = OWNER) -> StoredOrder:
        name = OrderName(owner, client_order_id)
        return await self.db.read(lambda conn: orders_store.order(conn, name, self.market.instruments))

    async def state(self, client_order_id: str) -> OrderState:
        return (await self.order(client_order_id)).record.state

    async def replace(
        self, client_order_id: str, request_id: str = "r1", gate: GateStamp = GATE, **change: int | str
    ) -> Replaced:
        """Change an order; numbers by the names of the contract."""
        decimals = {name: Decimal(value) for name, value in change.items()}
        wanted = Replace(OrderName(OWNER, client_order_id), request_id, Change(**decimals))  # type: ignore[arg-type]
        seen = (await self.db.read(lambda conn: fence_of(conn, WORLD)))[0].limits
        return await self.db.write(lambda conn: replace_order(conn, self.market, wanted, gate, 9, seen))

    async def to_wire(self, client_order_id: str, act: VenueAct = VenueAct.SUBMIT) -> bool:
        name, order_id = OrderName(OWNER, client_order_id), identity(OWNER, client_order_id)
        puts = {
            VenueAct.SUBMIT: send.to_wire,
            VenueAct.REPLACE: send.replace_to_wire,
            VenueAct.CANCEL: send.cancel_to_wire,
        }
        return await self.db.write(lambda conn: puts[act](conn, self.market, name, order_id, 10))

    async def arrive(self, client_order_id: str) -> None:
        order_id = identity(OWNER, client_order_id)
        await self.db.write(lambda conn: venue.arrive(conn, self.market, order_id, 11))

    async def reach(self, client_order_id: str, act: VenueAct) -> None:
        """A cancel or a replace comes to the venue; its answer is not heard."""
        order_id = identity(OWNER, client_order_id)
        found, by = await self.db.read(lambda conn: outcomes.orders_at_venue(conn, self.market, order_id, 32))
        if found is not None and act is VenueAct.CANCEL:
            await self.db.write(lambda conn: venue.end(conn, self.market, found, 11))
        elif found is not None and by is not None:
            await self.db.write(lambda conn: venue.change(conn, self.market, found, by, 11))

    async def answer(self, client_order_id: str) -> None:
        name, order_id = OrderName(OWNER, client_order_id), identity(OWNER, client_order_id)
        await self.db.write(lambda conn: outcomes.answer(conn, self.market, name, order_id, 12))

    async def lose(self, client_order_id: str) -> None:
        name, order_id = OrderName(OWNER, client_order_id), identity(OWNER, client_order_id)
        await self.db.write(lambda conn: outcomes.lose(conn, self.market, name, order_id, 13))

    async def resolve(self, client_order_id: str) -> bool:
        name, order_id = OrderName(OWNER, client_order_id), identity(OWNER, client_order_id)
        at_venue = (await self.db.read(lambda conn: outcomes.orders_at_venue(conn, self.market, order_id, 32)))[0]
        if at_venue is None:
            return False
        found = await self.db.read(lambda conn: venue.query(conn, self.market, OWNER.account, at_venue, 14))
        if found is None:
            return False
        return await self.db.write(lambda conn: outcomes.resolve(conn, self.market, name, found))

    async def look_at_stops(self) -> int:
        return await self.db.write(lambda conn: emulation.release_reached(conn, self.market, "acc", 15))

    async def set_trading(self, state: TradingState) -> None:
        await self.db.write(lambda conn: trading_state.set_trading_state(conn, "acc", state, "test", ACTOR, 16))

    async def epoch_on_the_wire(self, client_order_id: str) -> int:
        found = sa.select(t.send_intents.c.epoch).where(t.send_intents.c.client_order_id == client_order_id)
        return await self.db.read(lambda conn: int(conn.execute(found).scalar_one()))

    async def reached_venue(self) -> set[str]:
        """Orders the venue has, whatever brokerage knows of them."""
        rows = await self.db.read(lambda conn: conn.execute(sa.select(t.venue_orders.c.venue_order_id)).scalars().all())
        return set(rows)

    async def portfolio(self) -> portfoliopb.Portfolio:
        """The account's whole book."""

        def read(conn: sa.Connection) -> portfoliopb.Portfolio:
            account = accounts_store.account(conn, "acc")
            view = books_portfolio.view_of(conn, self.market, account)
            return portfolio_to_proto(account, view, "", books_portfolio.positions(conn, self.market, account))

        return await self.db.read(read)

    async def verify(self) -> int:
        return await self.db.read(lambda conn: brokerage_verify.verify_books(conn, self.market))


@asynccontextmanager
async def open_book(url: str, market: MarketContext = MARKET) -> AsyncIterator[Book]:
    lay_store(url, "brokerage")
    db = Database(url)
    await db.migrate("brokerage:migrations")
    yield Book(db, market)
    await db.close()
