"""Cost of an account's limits in brokerage's store: setting them, and what they add to an order, beside their floors.

    python -m bench.capital.limits [--orders 200] [--held 40]

One store on SQLite, commits at synchronous=FULL. The account has positions of so many strategies of four worlds. Orders
without limits and with all of them are taken in turn, so that both meet the same machine. The floor of setting limits
is one durable commit of as many rows.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from bench.brokerage import ACTOR, FEED, GATE, a_bar, open_store
from brokerage.accounts import limits as accounts_limits
from brokerage.accounts import sharing
from brokerage.config import Settings
from brokerage.domain.accounts.limits import AccountLimits, Budget
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.domain.orders.states import OrderType
from brokerage.domain.risk.fence import Fence, FenceState
from brokerage.feeds import show
from brokerage.fences import change
from brokerage.market.configured import market_of
from brokerage.market.context import MarketContext
from brokerage.orders.entry import submit
from qmtl.core.modes import EffectiveMode
from qmtl.sql.database import Database

WORLDS = ("w1", "w2", "w3", "w4")
MOST = 10**17
ROWS = 2


def owners(held: int) -> list[Owner]:
    """As many strategies, over all worlds."""
    return [Owner("acc", WORLDS[n % len(WORLDS)], f"s{n}") for n in range(held)]


def limits_of(revision: int, held: int, *, bound: bool) -> AccountLimits:
    """Every limit there is, each wide enough; or none."""
    if not bound:
        return AccountLimits(revision)
    budgets = tuple(Budget(one.world_id, one.strategy_id, MOST) for one in owners(held))
    worlds = tuple(Budget(world, "", MOST) for world in WORLDS)
    wide = 1_000 * RATE_ONE
    return AccountLimits(revision, MOST, MOST, wide, wide, wide, tuple(sorted((*worlds, *budgets), key=str)))


async def held_by(db: Database, market: MarketContext, held: int) -> None:
    """Each strategy holds a share."""

    def trade(conn: Connection) -> None:
        standings = frozenset((one.strategy_id, side) for one in owners(held) for side in Side)
        for world in WORLDS[1:]:
            sharing.allow_world(conn, "acc", world, ACTOR, 8)
        for world in WORLDS:
            fence = Fence(world, 2, FenceState.OPEN, EffectiveMode.PAPER, standings=standings)
            change.set_fence(conn, fence, ACTOR, 9)
        for one in owners(held):
            taking(conn, market, Order(one, f"first-{one.strategy_id}", "AAPL", Side.BUY, Decimal(1)))
        show.show_bars(conn, market, FEED, [a_bar(market, 1)], 0, 7)

    await db.write(trade)


def taking(conn: Connection, market: MarketContext, order: Order) -> None:
    """Take an order, as SubmitOrder does behind its door."""
    record = submit.submit(conn, market, order, replace(GATE, epoch=2), time.time_ns())[0].record
    if record.denial is not None:
        raise RuntimeError(f"{order.client_order_id}: {record.denial} {record.detail}")


def put_limits(conn: Connection, wanted: AccountLimits) -> None:
    """Set them, as SetAccountLimits does behind its door."""
    accounts_limits.set_account_limits(conn, "acc", wanted, ACTOR, 11)


async def measure(orders: int, held: int) -> None:
    """Print p50 and p95 of orders with and without limits, of setting limits, and of the floor."""
    market = market_of(Settings(orders_per_s_max=0))
    market = replace(market, limits=replace(market.limits, open_orders_max=10**6))
    spent: dict[str, list[float]] = {"order without": [], "order with limits": [], "set limits": [], "floor": []}
    with tempfile.TemporaryDirectory() as folder:
        db = await open_store(Path(folder) / "store.db", market)
        try:
            await held_by(db, market, held)
            await db.write(lambda conn: conn.execute(sa.text("CREATE TABLE floor (id INTEGER PRIMARY KEY, body BLOB)")))
            rows = [{"body": bytes(4_000)} for _ in range(ROWS)]
            insert = sa.text("INSERT INTO floor (body) VALUES (:body)")
            for number in range(2 * orders):
                bound = bool(number % 2)
                wanted = limits_of(number + 1, held, bound=bound)
                setting = partial(put_limits, wanted=wanted)
                await _timed(db, spent["set limits"] if bound else [], setting)
                owner = owners(held)[number // 2 % held]
                order = Order(
                    owner, f"o{number}", "AAPL", Side.BUY, Decimal(1), type=OrderType.LIMIT, limit_price=Decimal(20)
                )
                taken = partial(taking, market=market, order=order)
                await _timed(db, spent["order with limits" if bound else "order without"], taken)
                await _timed(db, spent["floor"], lambda conn: conn.execute(insert, rows))
        finally:
            await db.close()
    found = {name: said(name, each) for name, each in spent.items()}
    say(f"set limits / floor            {found['set limits'] / found['floor']:.2f} (aim 2)")
    say(f"order with limits / without   {found['order with limits'] / found['order without']:.2f} (aim 1.10)")


async def _timed(db: Database, spent: list[float], act: Callable[[Connection], object]) -> None:
    begun = time.perf_counter()
    await db.write(act)
    spent.append(time.perf_counter() - begun)


def said(name: str, spent: Sequence[float]) -> float:
    """Print p50 and p95 in milliseconds; the p50, which other work on the machine moves less."""
    ordered = sorted(spent)
    p50, p95 = ordered[len(ordered) // 2], ordered[int(0.95 * len(ordered))]
    say(f"{name:18}  p50 {1e3 * p50:7.2f} ms   p95 {1e3 * p95:7.2f} ms")
    return p50


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--held", type=int, default=40)
    options = parser.parse_args()
    asyncio.run(measure(options.orders, options.held))


if __name__ == "__main__":
    main()
