"""Money over time of a paper account with two feeds: one that stops holds up nothing of the other's."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import sqlalchemy as sa

from brokerage import schema as t
from brokerage.accounts import cash
from brokerage.accounts import store as accounts_store
from brokerage.books import store as books_store
from brokerage.domain.accounts.account import AccountFeed, TradingState
from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, instrument
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.corporate import Split
from brokerage.domain.models.financing import BorrowRate
from brokerage.domain.models.profile import EVERY_CLASS, BrokerageProfile
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.models.profiles.ibkr import ibkr_equities
from brokerage.domain.models.source import Dated
from brokerage.domain.money import rate
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import OrderType
from brokerage.feeds import show
from brokerage.market.context import MarketContext
from qmtl.sql.database import sqlite_url
from tests.brokerage.samples import ACCOUNT, Book, open_book, order

HOUR = 3_600_000_000_000
DAY = 24 * HOUR
MONDAY = 1_732_492_800_000_000_000  # 2024-11-25 in UTC
LISTED = instrument("AAPL", base="AAPL", quote="USD", price_places=2, calendar="XNYS")
COIN = instrument("COIN", base="COIN", quote="USD", lot="0.01", asset_class=AssetClass.CRYPTO, price_places=2)
LIVE = tuple(AccountFeed(f"live.{one.symbol}", "", one.symbol, 3_600) for one in (LISTED, COIN))
EVERY = replace(ibkr_equities(), fee=margin(2, fee="0").fee, participation=0, asset_classes=EVERY_CLASS, loans=None)


def market(**fields: object) -> MarketContext:
    profile: BrokerageProfile = replace(EVERY, **fields)  # type: ignore[arg-type]  # the test names real fields
    return MarketContext(Instruments([LISTED, COIN]), profile)


async def move(book: Book, feed: AccountFeed, hour: int, *, ended: bool = False, price: int = 10_000) -> None:
    """An hour's bar at a price in cents."""
    start, source = MONDAY + hour * HOUR, (feed.preset, feed.session_id)
    shown = Bar(start, start + HOUR, price, price, price, price, 10**9)
    await book.db.write(lambda conn: show.show_bars(conn, book.market, source, [shown], 0, 7, ended=ended))


async def paid(book: Book) -> list[tuple[str, str, int]]:
    """Kind, symbol and hour of what was paid."""
    rows = await book.db.read(lambda conn: conn.execute(sa.select(t.payments).order_by(t.payments.c.id)).all())
    return [(row.kind, row.symbol, (row.at_ns - MONDAY) // HOUR) for row in rows]


async def held(book: Book) -> Decimal:
    rows = await book.db.read(lambda conn: books_store.load_positions(conn, "acc"))
    return sum((LISTED.quantity_decimal(at.quantity) for _, _, at in rows), Decimal(0))


async def settled(book: Book) -> int:
    return (await book.db.read(lambda conn: cash.load_cash(conn, "acc")))["USD"] // 10**8


@pytest.mark.parametrize("session_id", ["", "played"])
async def test_interest_goes_on_without_a_feed_that_has_stopped(tmp_path: Path, session_id: str) -> None:
    stock, coin = (replace(feed, session_id=session_id) for feed in LIVE)
    async with open_book(sqlite_url(tmp_path / "store.db"), market(loans=ibkr_equities().loans)) as book:
        await book.open(replace(ACCOUNT, starting_cash=10_000 * 10**8, feeds=(stock, coin)))
        await move(book, coin, 21)
        await move(book, stock, 21)
        await book.submit(order("loan", quantity=150))
        await move(book, stock, 22)
        await move(book, stock, 23)
        assert await paid(book) == []  # the coin's bars of 22 and 23 are still to come
        if session_id:
            await move(book, coin, 22, ended=True)
            await move(book, stock, 24)
        else:
            await move(book, stock, 24)
        assert await paid(book) == [("INTEREST", "", 24)]
        await move(book, coin, 25)  # comes back
        await move(book, stock, 25)
        assert await paid(book) == [("INTEREST", "", 24)]
        assert await book.verify() > 0


async def test_proceeds_settle_without_a_feed_that_has_stopped(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db"), market(buying_power=BuyingPower.CASH, leverage=1)) as book:
        await book.open(replace(ACCOUNT, starting_cash=10_000 * 10**8, feeds=LIVE))
        stock, coin = LIVE
        await move(book, coin, 15)
        await move(book, stock, 15)
        await book.submit(order("in", quantity=10))
        await move(book, stock, 16)
        await book.submit(order("out", Side.SELL, quantity=10))
        await move(book, stock, 17)
        assert await settled(book) == 8_999
        await move(book, stock, 33)
        assert await settled(book) == 8_999
        await move(book, stock, 34)  # 06:00 in New York is 11:00 UTC
        assert await settled(book) == 9_998
        assert await book.verify() > 0


async def test_what_a_position_costs_waits_for_its_own_bars_only(tmp_path: Path) -> None:
    borrow = {one.symbol: (Dated(0, BorrowRate(fee=rate("0.1"))),) for one in (LISTED, COIN)}
    async with open_book(sqlite_url(tmp_path / "store.db"), market(borrow=borrow)) as book:
        await book.open(replace(ACCOUNT, feeds=LIVE))
        stock, coin = LIVE
        for feed in LIVE:
            await move(book, feed, 21)
        for name, symbol in (("one", "AAPL"), ("two", "COIN")):
            await book.submit(order(name, Side.SELL, quantity=1, symbol=symbol))
        for feed in LIVE:
            await move(book, feed, 22)
        await move(book, stock, 23)
        assert await paid(book) == [("BORROW", "AAPL", 24)]
        await move(book, coin, 23)
        assert await paid(book) == [("BORROW", "AAPL", 24), ("BORROW", "COIN", 24)]
        for hour in range(24, 47):
            await move(book, stock, hour)
        await move(book, stock, 47)
        # the coin's price has not moved for a day: its position goes on to cost
        assert (await paid(book))[2:] == [("BORROW", "AAPL", 48), ("BORROW", "COIN", 48)]
        assert all(kind == CashKind.BORROW.value for kind, _, _ in await paid(book))
        assert await book.verify() > 0


async def test_what_falls_due_in_a_bar_without_effect_is_paid_all_the_same(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db"), market(loans=ibkr_equities().loans)) as book:
        await book.open(replace(ACCOUNT, starting_cash=10_000 * 10**8, feeds=LIVE[:1]))
        await move(book, LIVE[0], 21)
        await book.submit(order("loan", quantity=150))
        await move(book, LIVE[0], 22)
        await move(book, LIVE[0], 23, price=10**11)  # 150 shares are more than can be counted
        account = await book.db.read(lambda conn: accounts_store.account(conn, "acc"))
        assert (account.trading_state, account.missed_ns) == (TradingState.HALTED, MONDAY + DAY)
        assert await paid(book) == [("INTEREST", "", 24)]
        await move(book, LIVE[0], 24)
        assert await paid(book) == [("INTEREST", "", 24)]
        assert await book.verify() > 0


async def test_what_cannot_be_counted_is_paid_with_the_next_bar_that_can(tmp_path: Path) -> None:
    """A short's borrow goes by a price that no amount holds."""
    borrow = {"AAPL": (Dated(0, BorrowRate(fee=rate("0.1"))),)}
    async with open_book(sqlite_url(tmp_path / "store.db"), market(borrow=borrow)) as book:
        await book.open(replace(ACCOUNT, feeds=LIVE[:1]))
        await move(book, LIVE[0], 21)
        await book.submit(order("short", Side.SELL, quantity=150))
        await move(book, LIVE[0], 22)
        await move(book, LIVE[0], 23, price=10**11)
        assert await paid(book) == []
        await move(book, LIVE[0], 24)
        await move(book, LIVE[0], 25)
        assert await paid(book) == [("BORROW", "AAPL", 24)]
        assert await book.verify() > 0


async def test_nothing_is_charged_in_a_bar_without_effect_in_which_shares_were_split(tmp_path: Path) -> None:
    """Between them old shares would be charged at the price of new ones."""
    borrow = {"AAPL": (Dated(0, BorrowRate(fee=rate("0.1"))),)}
    actions = {"AAPL": (Split("AAPL", MONDAY + 22 * HOUR + HOUR // 2, Fraction(2)),)}
    async with open_book(sqlite_url(tmp_path / "store.db"), replace(market(borrow=borrow), actions=actions)) as book:
        await book.open(replace(ACCOUNT, feeds=LIVE[:1]))
        await move(book, LIVE[0], 20)
        await book.submit(order("short", Side.SELL, quantity=150))
        await move(book, LIVE[0], 21)
        start, source = MONDAY + 22 * HOUR, (LIVE[0].preset, "")
        odd = Bar(start, start + 2 * HOUR, 5_000, 5_000, 5_000, 5_000, 10**9)  # when it opened is not known
        await book.db.write(lambda conn: show.show_bars(conn, book.market, source, [odd], 0, 7))
        account = await book.db.read(lambda conn: accounts_store.account(conn, "acc"))
        assert account.trading_state is TradingState.HALTED
        assert await paid(book) == []
        await move(book, LIVE[0], 24, price=5_000)
        assert sorted(await paid(book)) == [("BORROW", "AAPL", 24), ("SPLIT", "AAPL", 22)]
        assert await book.verify() > 0


async def test_shares_are_split_in_a_bar_that_the_account_cannot_take(tmp_path: Path) -> None:
    """HALTED stops orders, not bookkeeping; resumed, it goes on with new shares."""
    split = Split("AAPL", MONDAY + 23 * HOUR, Fraction(3, 2))
    terms = replace(market(loans=ibkr_equities().loans), actions={"AAPL": (split,)})
    async with open_book(sqlite_url(tmp_path / "store.db"), terms) as book:
        await book.open(replace(ACCOUNT, starting_cash=10_000 * 10**8, feeds=LIVE[:1]))
        await move(book, LIVE[0], 21)
        await book.submit(order("held", quantity=151))
        await book.submit(order("rests", quantity=4, type=OrderType.LIMIT, limit_price=Decimal(50)))
        await move(book, LIVE[0], 22)
        await move(book, LIVE[0], 23, price=10**11)
        account = await book.db.read(lambda conn: accounts_store.account(conn, "acc"))
        assert account.trading_state is TradingState.HALTED
        assert await held(book) == 226  # and half a share in money
        assert [kind for kind, _, _ in await paid(book)].count("SPLIT") == 1
        rests = (await book.order("rests")).record
        assert (rests.quantity, rests.limit) == (6, 33_33)
        assert await book.verify() > 0
        await move(book, LIVE[0], 24, price=6_667)
        await book.set_trading(TradingState.ACTIVE)
        await book.submit(order("out", Side.SELL, quantity=226))
        await move(book, LIVE[0], 25, price=6_667)
        assert await held(book) == 0
        assert [kind for kind, _, _ in await paid(book)].count("SPLIT") == 1
        assert await book.verify() > 0
