"""One account, several worlds, instruments and currencies: what they hold and order is bounded together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa

from brokerage.accounts import opening, sharing
from brokerage.accounts import store as accounts_store
from brokerage.books import store as books_store
from brokerage.books.load import load_view
from brokerage.domain.accounts.account import AccountFeed
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, instrument
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.feeds import show
from qmtl.core.errors import Exhausted, NotFound, NotReady
from qmtl.core.limits import RiskLimits
from tests.brokerage.orders.test_limits import market as limited_market
from tests.brokerage.samples import ACTOR, GATE, MARKET, MINUTE, OWNER, STOCK, WORLD, Book, bar, fence, open_book, order

MONEY = 10**8
OTHER = Owner("acc", "w2", "s1")
COIN = instrument("COIN-USD", base="COIN", quote="USD", lot="0.01", asset_class=AssetClass.CRYPTO, price_places=2)
EURO = instrument("EURUSD", base="EUR", quote="USD", tick="0.00001", asset_class=AssetClass.FOREX, price_places=2)
SAP = instrument("SAP", base="SAP", quote="EUR", price_places=2)
GATE_2 = replace(GATE, epoch=2)
COIN_FEED = AccountFeed("coins", "session-2", "COIN-USD", 60)


async def share(book: Book, world: str = "w2", accounts_max: int = 10) -> None:
    await book.db.write(lambda conn: sharing.allow_world(conn, "acc", world, ACTOR, 9, accounts_max))
    await book.fence(replace(fence(1), world_id=world))


async def denial(book: Book, wanted: Order) -> Denial | None:
    return (await book.submit(wanted)).record.denial


def coin_bar(minute: int, price: int = 10) -> Bar:
    cents = price * 100
    return Bar(minute * MINUTE, (minute + 1) * MINUTE, cents, cents, cents, cents, 10**9)


async def show_coin(book: Book, *bars: Bar) -> int:
    source = (COIN_FEED.preset, COIN_FEED.session_id)
    return await book.db.write(lambda conn: show.show_bars(conn, book.market, source, bars, 0, 7))


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    async with open_book(database_url) as made:
        await made.open()
        await made.show(bar(0))
        await share(made)
        yield made


async def test_worlds_share_the_cash_of_their_account(book: Book) -> None:
    assert await denial(book, order("o1", quantity=900)) is None
    assert await denial(book, order("o1", quantity=200, owner=OTHER)) is Denial.BALANCE_INSUFFICIENT
    assert await denial(book, order("o2", quantity=80, owner=OTHER)) is None
    await book.show(bar(1))
    assert await denial(book, order("o3", quantity=20)) is Denial.BALANCE_INSUFFICIENT
    assert await book.verify() == 1


async def test_worlds_at_once_do_not_overshoot_the_account_together(database_url: str) -> None:
    async with open_book(database_url, limited_market(account_gross_max=1_010 * MONEY)) as book:
        await book.open()
        await book.show(bar(0))
        await share(book)
        owners = [replace(owner, strategy_id=f"s{number}") for number in range(6) for owner in (OWNER, OTHER)]
        answers = await asyncio.gather(*(denial(book, order("o", quantity=2, owner=owner)) for owner in owners))
        assert sorted(answers, key=str) == [Denial.EXPOSURE_ABOVE_LIMIT] * 7 + [None] * 5
        assert await book.verify() == 1


async def test_nobody_sells_what_another_world_holds(book: Book) -> None:
    await book.submit(order("o1"))
    await book.show(bar(1))
    assert await denial(book, order("o1", Side.SELL, owner=OTHER)) is Denial.SHORT_UNAVAILABLE
    assert await denial(book, order("o2", Side.SELL)) is None


async def test_limits_of_a_world_count_its_own_part_only(database_url: str) -> None:
    async with open_book(database_url, limited_market()) as book:
        await book.open()
        await book.show(bar(0))
        await share(book)
        assert await denial(book, order("o1", quantity=50)) is None
        told = RiskLimits(gross_notional_max=Decimal(1_010))
        await book.fence(replace(fence(2, limits=told), world_id="w2"))
        assert (await book.submit(order("o1", quantity=10, owner=OTHER), GATE_2)).record.denial is None
        more = order("o2", quantity=1, owner=OTHER)
        assert (await book.submit(more, GATE_2)).record.denial is Denial.EXPOSURE_ABOVE_LIMIT


async def test_a_world_that_was_not_let_in_is_refused_and_one_that_left_too(book: Book) -> None:
    with pytest.raises(NotFound, match="E_ACCOUNT_UNKNOWN"):
        await book.submit(order("o1", owner=Owner("acc", "w3", "s1")))
    await book.submit(order("o1", quantity=1, owner=OTHER, type=OrderType.LIMIT, limit_price=Decimal(90)))

    def leave(conn: sa.Connection) -> None:
        sharing.disallow_world(conn, "acc", "w2", ACTOR, 10, books_store.holds)

    with pytest.raises(NotReady, match="E_ACCOUNT_IN_USE"):
        await book.db.write(leave)
    assert (await book.cancel("o1", OTHER)).record.state is OrderState.CANCELED
    await book.db.write(leave)
    await book.db.write(leave)
    with pytest.raises(NotFound, match="E_ACCOUNT_UNKNOWN"):
        await book.submit(order("o2", owner=OTHER))
    worlds = await book.db.read(lambda conn: accounts_store.worlds_of(conn, ["acc"]))
    assert worlds == {"acc": (WORLD,)}


async def test_a_shared_account_counts_as_one_of_each_world(book: Book) -> None:
    with pytest.raises(Exhausted, match="E_ACCOUNTS_LIMIT"):
        await share(book, "w3", accounts_max=0)
    await share(book, "w3", accounts_max=1)
    await share(book, "w3", accounts_max=1)


async def test_one_account_trades_several_instruments_each_at_its_own_mark_and_time(database_url: str) -> None:
    async with open_book(database_url, replace(MARKET, instruments=Instruments([STOCK, COIN]))) as book:
        await book.open()
        await book.show(bar(0))
        await book.db.write(lambda conn: opening.add_feed(conn, "acc", COIN_FEED, ACTOR, 8))
        coin = replace(order("coin", quantity=100), symbol="COIN-USD")
        assert await denial(book, coin) is Denial.PRICE_STALE
        await show_coin(book, coin_bar(0), coin_bar(1))
        assert await denial(book, replace(coin, client_order_id="coin2")) is None
        assert await denial(book, order("stock", quantity=10)) is None
        assert await show_coin(book, coin_bar(2, 11)) == 1
        assert await book.show(bar(1)) == 1
        held = {held.symbol: (held.quantity, held.mark_price) for held in (await book.portfolio()).positions}
        assert held == {"AAPL": ("10", "101"), "COIN-USD": ("100", "11")}
        account = await book.db.read(lambda conn: accounts_store.account(conn, "acc"))
        assert {feed.symbol: feed.position_ns // MINUTE for feed in account.feeds} == {"AAPL": 2, "COIN-USD": 3}
        assert await book.verify() == 1


async def test_an_unpriced_position_frees_nothing_and_other_currencies_are_valued_by_their_marks(
    database_url: str,
) -> None:
    market = replace(limited_market(), instruments=Instruments([STOCK, SAP, EURO]))
    async with open_book(database_url, market) as book:
        await book.open()
        await book.show(bar(0))

        def view(conn: sa.Connection) -> tuple[int, int, int | None]:
            found = load_view(conn, market, accounts_store.account(conn, "acc"))
            found.cash = {**found.cash, "EUR": 1_000 * MONEY}
            return found.equity(), found.free("USD"), found.in_base(MONEY, "EUR")

        assert await book.db.read(view) == (100_000 * MONEY, 100_000 * MONEY, None)
        euro = AccountFeed("euro", "session-3", "EURUSD", 60)
        await book.db.write(lambda conn: opening.add_feed(conn, "acc", euro, ACTOR, 8))
        shown = Bar(0, MINUTE, 110_000, 110_000, 110_000, 110_000, 10**9)
        await book.db.write(lambda conn: show.show_bars(conn, market, ("euro", "session-3"), [shown], 0, 7))
        assert await book.db.read(view) == (101_100 * MONEY, 101_100 * MONEY, 110_000_000)
