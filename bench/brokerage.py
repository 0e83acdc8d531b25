"""Cost of taking an order, by how many are open or ended in its account, against what no order can avoid.

    python -m bench.brokerage [--open 0 100 1000] [--ended 5000] [--orders 60]

What a session pays for a changed target is listed beside it: the open orders of the symbol. One store on SQLite,
commits at synchronous=FULL, orders one after another. The floor in the same run: one durable commit of as many rows as
an order writes. A ratio to the floor, and the ratio of full to empty, are what to compare.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from statistics import median

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema
from brokerage.accounts import opening
from brokerage.audit import Actor
from brokerage.config import Settings
from brokerage.domain.accounts.account import Account, AccountFeed, AccountType, TradingState
from brokerage.domain.market.bars import Bar, bar_from_doubles
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.domain.risk.fence import Fence, FenceState, GateStamp
from brokerage.feeds import show
from brokerage.fences import change
from brokerage.market.configured import market_of
from brokerage.market.context import MarketContext
from brokerage.orders import listings
from brokerage.orders.entry import submit
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.core.modes import EffectiveMode, ExecutionDomain
from qmtl.sql.database import Database, sqlite_url

MINUTE = 60_000_000_000
OWNER = Owner("acc", "w1", "s1")
STANDINGS = frozenset((OWNER.strategy_id, side) for side in Side)
FEED = ("demo", "session-1")
ACTOR = Actor("bench", "c1")
GATE = GateStamp(1, RATE_ONE, ExecutionDomain.DRYRUN, False)
ROWS_PER_ORDER = 9
"""Head, intent, three events, three outbox rows, one sum; what is updated comes on top."""

ACCOUNT = Account(
    account="acc",
    type=AccountType.CASH,
    venue="paper",
    base_currency="USD",
    starting_cash=10_000_000 * 10**8,
    fee_rate=100_000,
    leverage=1,
    trading_state=TradingState.ACTIVE,
    created_ns=1,
    feeds=(AccountFeed(*FEED, symbol="AAPL", interval_s=60),),
)


def resting(name: str) -> Order:
    """A buy far below the market: it stays open."""
    return Order(OWNER, name, "AAPL", Side.BUY, Decimal(1), type=OrderType.LIMIT, limit_price=Decimal(20))


def a_bar(market: MarketContext, minute: int) -> Bar:
    """A bar between 99 and 101."""
    known = market.instruments.anywhere("AAPL")
    assert known is not None, "the settings have it"
    return bar_from_doubles(known, minute * MINUTE, MINUTE, (100.0, 101.0, 99.0, 100.0, 10_000.0))


async def open_store(path: Path, market: MarketContext) -> Database:
    """A store with one open account in an open world whose venue knows a price."""
    db = Database(sqlite_url(path), synchronous="FULL")
    await db.migrate("brokerage:migrations")

    def begin(conn: Connection) -> None:
        opening.open_account(conn, ACCOUNT, "w1", ACTOR)
        change.set_fence(conn, Fence("w1", 1, FenceState.OPEN, EffectiveMode.PAPER, standings=STANDINGS), ACTOR, 5)
        show.show_bars(conn, market, FEED, [a_bar(market, 0)], 0, 7)

    await db.write(begin)
    return db


def taking(market: MarketContext, order: Order) -> Callable[[Connection], object]:
    """Take one order, as SubmitOrder does behind its door. One that is denied would measure something else."""

    def take(conn: Connection) -> None:
        record = submit.submit(conn, market, order, GATE, time.time_ns())[0].record
        if record.denial is not None:
            raise RuntimeError(f"{order.client_order_id}: {record.denial} {record.detail}")

    return take


async def take_one(db: Database, market: MarketContext, number: int) -> None:
    await db.write(taking(market, resting(f"o{number}")))


async def fill_up(db: Database, market: MarketContext, count: int) -> None:
    """Bring the account to a number of open orders, many in one commit."""

    def take(conn: Connection) -> None:
        for number in range(count):
            taking(market, resting(f"open{number}"))(conn)

    await db.write(take)


async def end(db: Database, market: MarketContext, count: int) -> None:
    """Bring the account to a number of filled orders, a hundred a bar, bought and sold in turn."""

    def trade(conn: Connection, minute: int) -> None:
        for number in range(100):
            side = Side.BUY if number % 2 else Side.SELL
            taking(market, Order(OWNER, f"ended{minute}-{number}", "AAPL", side, Decimal(1)))(conn)
        show.show_bars(conn, market, FEED, [a_bar(market, minute)], 0, 7)

    def stock_up(conn: Connection) -> None:
        taking(market, Order(OWNER, "first", "AAPL", Side.BUY, Decimal(100)))(conn)
        show.show_bars(conn, market, FEED, [a_bar(market, 1)], 0, 7)

    if count:
        await db.write(stock_up)
    for minute in range(2, 2 + count // 100):
        await db.write(partial(trade, minute=minute))
    filled = sa.select(sa.func.count()).where(schema.orders.c.state == OrderState.FILLED.value)
    if (found := await db.read(lambda conn: conn.execute(filled).scalar_one())) < count:
        raise SystemExit(f"{found} of {count} orders were filled")


def listing(market: MarketContext) -> Callable[[Connection], object]:
    """What is asked before a target changes."""
    request = orderservicepb.ListOrdersRequest(account="acc", symbol="AAPL", open_only=True)
    return lambda conn: listings.list_orders(conn, market, request)


async def timed(count: int, act: Callable[[int], Awaitable[object]]) -> float:
    """Median milliseconds of an act, after one that is not counted."""
    await act(-1)
    spent: list[float] = []
    for number in range(count):
        begun = time.perf_counter()
        await act(number)
        spent.append((time.perf_counter() - begun) * 1e3)
    return median(spent)


async def floor_ms(db: Database, count: int) -> float:
    """One commit of as many rows as an order writes, to a table without an index."""
    await db.write(lambda conn: conn.execute(sa.text("CREATE TABLE floor (id INTEGER PRIMARY KEY, body BLOB)")))
    rows = [{"body": bytes(250)} for _ in range(ROWS_PER_ORDER)]
    insert = sa.text("INSERT INTO floor (body) VALUES (:body)")
    return await timed(count, lambda _: db.write(lambda conn: conn.execute(insert, rows)))


async def measure(opened: Sequence[int], ended: Sequence[int], orders: int) -> None:
    """Print one line for each number of open orders, and one for each number of ended ones."""
    made = market_of(Settings(orders_per_s_max=0))
    limits = replace(made.limits, open_orders_max=10**6)
    market = replace(made, limits=limits)
    say("open  | ended | order ms | floor ms | ratio | against none | listing ms")
    first = 0.0
    for count, gone in (*((count, 0) for count in opened), *((0, gone) for gone in ended)):
        with tempfile.TemporaryDirectory() as folder:
            db = await open_store(Path(folder) / "store.db", market)
            try:
                await end(db, market, gone)
                await fill_up(db, market, count)
                spent = await timed(orders, partial(take_one, db, market))
                listed = await timed(10, lambda _, db=db: db.read(listing(market)))  # type: ignore[misc]  # bound now
                floor = await floor_ms(db, orders)
            finally:
                await db.close()
        ratio = spent / floor
        first = first or ratio
        say(f"{count:5} | {gone:5} | {spent:8.2f} | {floor:8.2f} | {ratio:5.1f} | {ratio / first:12.2f} | {listed:.2f}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--open", type=int, nargs="+", default=[0, 100, 1_000])
    parser.add_argument("--ended", type=int, nargs="+", default=[5_000])
    parser.add_argument("--orders", type=int, default=60)
    chosen = parser.parse_args()
    asyncio.run(measure(chosen.open, chosen.ended, chosen.orders))


if __name__ == "__main__":
    main()
