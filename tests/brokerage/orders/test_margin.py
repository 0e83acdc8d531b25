"""Margin calls in the store: the same arithmetic as in a backtest, by orders that the fence lets go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import sqlalchemy as sa

from brokerage import schema as t
from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import TradingState
from brokerage.domain.market.instrument import AssetClass
from brokerage.domain.market.margin_tiers import margin_tiers
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.corporate import Delisting
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import OrderState
from brokerage.domain.risk.fence import FenceState
from brokerage.status import counts as status_counts
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.wire.instants import ns_from_proto
from tests.brokerage.orders.test_limits import market
from tests.brokerage.samples import ACCOUNT, MINUTE, STOCK, Book, bar, fence, open_book, order


@asynccontextmanager
async def short(url: str) -> AsyncIterator[Book]:
    """5,000 sold short at 100 on 100,000 at leverage 10: called where 500 p is above 110 % of 600,000 - 5,000 p."""
    async with open_book(url, market()) as book:
        await book.open()
        await book.show(bar(0, 99))
        await book.submit(order("short", Side.SELL, 5_000))
        await book.show(bar(1, 100, volume=10**9))
        assert await book.state("short") is OrderState.FILLED
        yield book


async def calls(book: Book) -> list[str]:
    query = sa.select(t.audit_log.c.detail).where(t.audit_log.c.act == "margin_call").order_by(t.audit_log.c.id)
    return list(await book.db.read(lambda conn: conn.execute(query).scalars().all()))


async def held(book: Book) -> Decimal:
    return sum((Decimal(one.quantity) for one in (await book.portfolio()).positions), Decimal(0))


async def test_the_biggest_loser_is_closed_as_far_as_equity_does_not_cover_it(database_url: str) -> None:
    async with short(database_url) as book:
        await book.show(bar(2, 108))
        assert not await calls(book)
        await book.show(bar(3, 109))
        [told] = await calls(book)
        assert told.startswith("MARGIN_CALL: equity is 49500 USD, margin in use 55000 USD; orders: margin-call-AAPL-")
        await book.show(bar(4, 110, volume=0))
        assert len(await calls(book)) == 1
        await book.show(bar(5, 109, volume=10**9))
        assert await held(book) == -4_500
        assert await book.verify() > 0


async def test_what_the_venue_takes_in_several_orders_only_is_closed_by_several(database_url: str) -> None:
    capped = replace(market(), instruments=Instruments([replace(STOCK, quantity_max=2_000)]))
    async with open_book(database_url, capped) as book:
        await book.open()
        await book.show(bar(0, 99))
        for number in range(3):
            await book.submit(order(f"short{number}", Side.SELL, 1_700))
        await book.show(bar(1, 100, volume=10**9))
        await book.show(bar(2, 130))
        [told] = await calls(book)
        names = told.split("orders: ")[1].split(", ")
        assert len(set(names)) == 3
        assert [(await book.order(name)).order.quantity for name in names] == [1_700] * 3
        await book.show(bar(3, 130, volume=10**9))
        assert await held(book) == 0
        assert await book.verify() > 0


async def test_a_halted_account_is_told_of_its_margin_and_called_once_it_trades(database_url: str) -> None:
    async with short(database_url) as book:
        await book.set_trading(TradingState.HALTED)
        await book.show(bar(2, 109))
        assert await acts(book) == ["margin_warning"]
        await book.set_trading(TradingState.ACTIVE)
        await book.show(bar(3, 109))
        assert await acts(book) == ["margin_warning", "margin_call"]


async def test_a_frozen_world_is_called_at_the_first_bar_after_it(database_url: str) -> None:
    async with short(database_url) as book:
        await book.fence(fence(2, FenceState.FROZEN))
        await book.show(bar(2, 109))
        assert (await calls(book))[0].endswith("orders: none, the fence lets nothing go")
        await book.fence(fence(3, FenceState.DRAIN))
        await book.show(bar(3, 109))
        await book.show(bar(4, 109, volume=10**9))
        assert await held(book) > -5_000


async def test_an_account_without_equity_closes_everything_and_opens_nothing(database_url: str) -> None:
    async with short(database_url) as book:
        await book.show(bar(2, 130))
        assert (await calls(book))[0].startswith("LIQUIDATION: equity is -")
        await book.show(bar(3, 130, volume=10**9))
        assert await held(book) == 0
        account = await book.db.read(lambda conn: accounts_store.account(conn, "acc"))
        assert account.trading_state is TradingState.REDUCING
        assert (await book.submit(order("more", quantity=1))).record.denial is Denial.TRADING_REDUCING


async def test_an_account_that_pays_in_full_is_never_called(database_url: str) -> None:
    async with open_book(database_url) as book:
        await book.open()
        await book.show(bar(0))
        await book.submit(order("o1", quantity=900))
        await book.show(bar(1, 100, volume=10**9))
        await book.show(bar(2, 5))
        assert not await calls(book)


async def test_what_nobody_can_close_is_told_once(database_url: str) -> None:
    async with short(database_url) as book:
        book.market = replace(book.market, actions={"AAPL": (Delisting("AAPL", 2 * MINUTE),)})
        await book.show(bar(2, 109))
        assert await calls(book) == []  # margin is short, and nothing can be done
        await book.show(bar(3, 130))
        await book.show(bar(4, 131))
        [told] = await calls(book)
        assert told.endswith("everything is closed; not tradable: AAPL; orders: none")
        assert await held(book) == -5_000


TIERS = margin_tiers("USD", [("1000000", 20, "0.05", ""), ("2000000", 10, "0.1", "")])
TIERED = replace(STOCK, asset_class=AssetClass.FUTURE, margin_tiers=TIERS)


async def acts(book: Book) -> list[str]:
    found = sa.select(t.audit_log.c.act).where(t.audit_log.c.act.startswith("margin_")).order_by(t.audit_log.c.id)
    return list(await book.db.read(lambda conn: conn.execute(found).scalars().all()))


async def test_by_tiers_a_book_tells_of_its_margin_before_it_is_called(database_url: str) -> None:
    """5,000 short at 100 with 100,000: equity 600,000 - 5,000 p, kept 250 p: called from 114.2857... on, warned from
    113.98 (0.95 x 600,000 / (250 + 0.95 x 5,000) = 114.0).
    """
    traded = replace(market(), instruments=Instruments([TIERED]))
    async with open_book(database_url, traded) as book:
        await book.open(replace(ACCOUNT, fee_rate=0))
        await book.show(bar(0, 99))
        await book.submit(order("short", Side.SELL, 5_000))
        await book.show(bar(1, 100, volume=10**9))
        seen = await book.portfolio()
        assert (seen.margin.used, seen.margin.state) == ("25250", portfoliopb.MARGIN_STATE_COVERED)  # at the close, 101
        assert not seen.margin.HasField("warned_at")
        assert [one.liquidation_price for one in seen.positions] == ["114.285714"]
        assert await short_of_margin(book) == 0
        await book.show(bar(2, 113))
        seen = await book.portfolio()
        assert (seen.equity, seen.margin.used, seen.margin.state) == ("30000", "28500", portfoliopb.MARGIN_STATE_WARNED)
        assert ns_from_proto(seen.margin.warned_at, "warned_at") == 3 * MINUTE
        assert await short_of_margin(book) == 1
        await book.show(bar(3, 113))
        assert await acts(book) == ["margin_warning"]
        await book.show(bar(4, 112))
        assert (await book.portfolio()).margin.state == portfoliopb.MARGIN_STATE_COVERED
        assert await short_of_margin(book) == 0
        await book.show(bar(5, 114))  # closes at 115
        assert (await book.portfolio()).margin.state == portfoliopb.MARGIN_STATE_CALLED
        assert await acts(book) == ["margin_warning", "margin_covered", "margin_warning", "margin_call"]
        [told] = await calls(book)
        assert told.startswith("MARGIN_CALL: equity is 25000 USD, margin in use 28750 USD; orders: margin-call-AAPL-")
        await book.show(bar(6, 114, volume=10**9))
        assert await held(book) == -4_347  # 3,750 of 28,750 of 5,000, up: 653
        assert await book.verify() > 0


async def short_of_margin(book: Book) -> int:
    return (await book.db.read(status_counts))[2]
