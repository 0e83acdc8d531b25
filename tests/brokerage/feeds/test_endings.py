"""Symbols of paper accounts that end: shares that become others or cash, and shares that nobody buys any more."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import sqlalchemy as sa
from grpc.aio import insecure_channel
from prometheus_client import CollectorRegistry

from brokerage import schema as t
from brokerage.accounts import cash as accounts_cash
from brokerage.accounts import store as accounts_store
from brokerage.books import store as books_store
from brokerage.books.payments import load_payments
from brokerage.domain.accounts.account import AccountFeed
from brokerage.domain.accounts.position import Position
from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.corporate import Delisting, Ending, ShareExchange, ending_of
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.domain.simulation.corporate import ENDED_BY_ENDING
from brokerage.feeds import show
from brokerage.feeds.endings import end_symbol
from brokerage.feeds.follow import BarSource, Feed, FeedFollower
from brokerage.feeds.metrics import FeedMetrics
from brokerage.market.context import MarketContext
from qmtl.core.clock import VirtualClock
from qmtl.core.instants import from_ns
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.sql.database import sqlite_url
from qmtl.wire.instants import ns_to_proto
from tests.brokerage.samples import ACCOUNT, FEED, MINUTE, OWNER, STOCK, Book, bar, open_book, order

NEW = instrument("NEW", base="NEW", quote="USD", price_places=2, lot="0.1")
OTHER = ("demo-new", FEED[1])
PROFILE = margin(2, participation="0")
TWO = replace(ACCOUNT, feeds=(*ACCOUNT.feeds, AccountFeed(*OTHER, symbol="NEW", interval_s=60)))
MERGER = ShareExchange("AAPL", 3 * MINUTE, "NEW", Fraction(1, 2), Decimal(3))


def market(action: Ending) -> MarketContext:
    return MarketContext(Instruments([STOCK, NEW]), PROFILE, actions={action.symbol: (action,)})


async def shown(book: Book, of: MarketContext, *bars: Bar) -> None:
    """Bars of NEW."""
    await book.db.write(lambda conn: show.show_bars(conn, of, OTHER, bars, 0, 7))


async def holding(book: Book, of: MarketContext, quantity: int) -> None:
    """Open the account and buy or sell so many AAPL at 100, with an order left that does not fill."""
    await book.open(TWO)
    await book.show(bar(0))
    await shown(book, of, bar(0, 50))
    await book.submit(order("held", Side.BUY if quantity > 0 else Side.SELL, abs(quantity)))
    await book.show(bar(1))
    await book.submit(order("away", quantity=1, type=OrderType.LIMIT, limit_price=Decimal(90)))
    await book.show(bar(2))
    await shown(book, of, bar(1, 50), bar(2, 50))


async def positions(book: Book) -> dict[str, Position]:
    rows = await book.db.read(lambda conn: books_store.load_positions(conn, "acc"))
    return {symbol: at for who, symbol, at in rows if who == OWNER}


@pytest.mark.parametrize("quantity", [7, -7])
async def test_a_merger_does_on_paper_what_it_does_in_a_backtest(database_url: str, quantity: int) -> None:
    of = market(MERGER)
    async with open_book(database_url, of) as book:
        await holding(book, of, quantity)
        assert (await positions(book))["AAPL"].quantity == quantity
        await shown(book, of, bar(3, 200), bar(3, 200), bar(4, 210))
        assert await book.verify() > 0
        found = await positions(book)
        cash = await book.db.read(lambda conn: accounts_cash.load_cash(conn, "acc"))
        away = (await book.order("away")).record
        [(_, paid)] = await book.db.read(lambda conn: load_payments(conn, "acc", of.instruments))
    desk = SimulatedAccount(
        PROFILE, {"USD": Decimal(ACCOUNT.starting_cash).scaleb(-8)}, instruments=[STOCK, NEW], owner=OWNER
    )
    desk.on_bar("AAPL", bar(0))
    desk.submit(order("held", Side.BUY if quantity > 0 else Side.SELL, 7), MINUTE)
    desk.on_bar("AAPL", bar(1))
    desk.end(MERGER)
    assert desk.exchange(MERGER, 200_00) == [paid]
    assert found == desk.book.ledger.positions
    assert cash == desk.book.ledger.cash
    assert found["NEW"].quantity == (35 if quantity > 0 else -35)
    assert (away.state, away.detail) == (OrderState.CANCELED, ENDED_BY_ENDING)


async def test_what_was_converted_is_proved_without_the_settings_that_asked_for_it(tmp_path: Path) -> None:
    url, of = sqlite_url(tmp_path / "store.db"), market(MERGER)
    async with open_book(url, of) as book:
        await holding(book, of, 7)
        await shown(book, of, bar(3, 200))
    async with open_book(url, replace(of, actions={})) as book:
        assert await book.verify() > 0


async def test_a_delisting_pays_its_price_by_the_bars_of_another_symbol(tmp_path: Path) -> None:
    of = market(Delisting("AAPL", 3 * MINUTE, Decimal("12.5")))
    async with open_book(sqlite_url(tmp_path / "store.db"), of) as book:
        await holding(book, of, 10)
        before = (await book.db.read(lambda conn: accounts_cash.load_cash(conn, "acc")))["USD"]
        await shown(book, of, bar(3, 50))
        after = (await book.db.read(lambda conn: accounts_cash.load_cash(conn, "acc")))["USD"]
        assert (after - before, (await positions(book))["AAPL"].quantity) == (125 * 10**8, 0)
        assert await book.verify() > 0


async def test_shares_without_a_price_are_kept_shown_and_not_traded(tmp_path: Path) -> None:
    of = market(Delisting("AAPL", 3 * MINUTE + 1))
    async with open_book(sqlite_url(tmp_path / "store.db"), of) as book:
        await holding(book, of, 10)
        assert not (await book.portfolio()).positions[0].HasField("end_time")
        await book.show(bar(3))
        await shown(book, of, bar(3, 50))
        kept = {one.symbol: one for one in (await book.portfolio()).positions}["AAPL"]
        late = (await book.submit(order("late", Side.SELL))).record
    assert (kept.quantity, kept.end_time.seconds) == ("10", 180)
    assert (late.state, late.denial) == (OrderState.DENIED, Denial.NOT_TRADABLE)


FUTURE = instrument("ESH", base="ESH", quote="USD", price_places=2, multiplier="5", asset_class=AssetClass.FUTURE)
SHARE = replace(FUTURE, asset_class=AssetClass.EQUITY, delisted_ns=3 * MINUTE)
EXPIRES = replace(FUTURE, delisted_ns=3 * MINUTE)
LIVE = ("live-es", "")
DATED = replace(ACCOUNT, feeds=(AccountFeed(*LIVE, symbol="ESH", interval_s=60),))


def dated(*known: Instrument) -> MarketContext:
    """The market of the settings, by whose dates instruments end."""
    ends = {one.symbol: (end,) for one in known if (end := ending_of(one)) is not None}
    return MarketContext(Instruments(known), PROFILE, actions=ends)


async def on(book: Book, source: tuple[str, str], *bars: Bar) -> None:
    await book.db.write(lambda conn: show.show_bars(conn, book.market, source, bars, 0, 7))


async def by_the_clock(book: Book, now_ns: int) -> bool:
    [[action]] = book.market.actions.values()
    assert isinstance(action, Ending)
    return await book.db.write(lambda conn: end_symbol(conn, book.market, action, now_ns))


async def audited(book: Book) -> list[str]:
    acts = t.audit_log.c
    query = sa.select(acts.detail).where(acts.act.in_(["corporate_action", "ending_failed"])).order_by(acts.id)
    return list(await book.db.read(lambda conn: conn.execute(query).scalars().all()))


@pytest.mark.parametrize("late", [False, True])
async def test_a_future_expires_by_the_clock_at_its_last_price_though_nobody_calls(tmp_path: Path, late: bool) -> None:
    """10 at 50, times 5: its last bar closes at 54, or never comes and the one before counts after two more minutes."""
    async with open_book(sqlite_url(tmp_path / "store.db"), dated(EXPIRES)) as book:
        await book.open(DATED)
        await on(book, LIVE, bar(0, 50))
        await book.submit(order("held", symbol="ESH"), now_ns=MINUTE)
        await on(book, LIVE, bar(1, 50))
        await book.submit(order("away", symbol="ESH", type=OrderType.LIMIT, limit_price=Decimal(9)), now_ns=2 * MINUTE)
        cash = (await book.db.read(lambda conn: accounts_cash.load_cash(conn, "acc")))["USD"]
        assert not await by_the_clock(book, 3 * MINUTE)  # its last bar is on its way
        assert await book.state("away") is OrderState.ACCEPTED
        assert (await book.submit(order("late", symbol="ESH"), now_ns=3 * MINUTE)).record.denial is Denial.NOT_TRADABLE
        if late:
            assert not await by_the_clock(book, 5 * MINUTE - 1)
            assert await by_the_clock(book, 5 * MINUTE)
        else:
            await on(book, LIVE, bar(2, 53))
            assert await by_the_clock(book, 3 * MINUTE + 5)
        closed = 51 if late else 54  # bars close one above their open
        after = (await book.db.read(lambda conn: accounts_cash.load_cash(conn, "acc")))["USD"]
        assert (after - cash) // 10**8 == 10 * 5 * (closed - 50)
        assert ((await positions(book))["ESH"].quantity, await book.state("away")) == (0, OrderState.CANCELED)
        assert await by_the_clock(book, 9 * MINUTE)  # again: nothing
        [told] = await audited(book)
        assert told.startswith("ESH expiry at 1970-01-01T00:03:00Z: w1/s1, cash ")
        assert await book.verify() > 0


async def test_what_is_delisted_without_a_price_is_kept_and_told_once_by_the_clock_or_a_bar(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db"), dated(SHARE)) as book:
        await book.open(DATED)
        await on(book, LIVE, bar(0, 50))
        await book.submit(order("held", symbol="ESH"), now_ns=MINUTE)
        await on(book, LIVE, bar(1, 50), bar(2, 50))
        await book.submit(order("away", symbol="ESH", type=OrderType.LIMIT, limit_price=Decimal(9)), now_ns=2 * MINUTE)
        for now_ns in (3 * MINUTE, 4 * MINUTE):
            assert await by_the_clock(book, now_ns)
        await on(book, LIVE, bar(3, 50))
        await on(book, LIVE, bar(4, 50))
        assert await audited(book) == [
            "ESH delisting, kept at 1970-01-01T00:03:00Z: w1/s1, 10 kept, which cannot be traded"
        ]
        assert ((await positions(book))["ESH"].quantity, await book.state("away")) == (10, OrderState.CANCELED)


async def test_a_replay_ends_symbols_by_its_own_time_not_by_the_clock(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db"), dated(EXPIRES)) as book:
        played = ("demo-es", "session")
        await book.open(replace(DATED, feeds=(AccountFeed(*played, symbol="ESH", interval_s=60),)))
        await on(book, played, bar(0, 50))
        await book.submit(order("held", symbol="ESH"))
        await on(book, played, bar(1, 50))
        assert await by_the_clock(book, 10 * MINUTE)
        assert (await positions(book))["ESH"].quantity == 10
        await on(book, played, bar(2, 53), bar(3, 99))
        assert (await positions(book))["ESH"].quantity == 0
        [told] = await audited(book)
        assert told.endswith("cash 200.00000000 USD")


async def test_what_an_ending_fails_for_is_told_and_the_others_end(tmp_path: Path) -> None:
    """A store whose books name a contract that the settings now have as a share: it cannot expire."""
    async with open_book(sqlite_url(tmp_path / "store.db"), dated(EXPIRES)) as book:
        await book.open(DATED)
        await on(book, LIVE, bar(0, 50))
        await book.submit(order("held", symbol="ESH"), now_ns=MINUTE)
        await on(book, LIVE, bar(1, 50), bar(2, 50))
        book.market = replace(book.market, instruments=Instruments([SHARE]))
        for _ in range(2):
            assert await by_the_clock(book, 3 * MINUTE)
        [told] = await audited(book)
        assert "E_FIELD: actions of ESH is an expiry of EQUITY" in told


async def test_an_account_at_a_venue_that_is_set_up_no_more_holds_up_nobody(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db"), dated(EXPIRES)) as book:
        await book.open(DATED)
        await on(book, LIVE, bar(0, 50))
        await book.submit(order("held", symbol="ESH"), now_ns=MINUTE)
        await on(book, LIVE, bar(1, 50), bar(2, 50))
        left = replace(DATED, account="abc", venue="gone")
        await book.db.write(lambda conn: accounts_store.add_account(conn, left))
        assert await by_the_clock(book, 3 * MINUTE)
        assert (await positions(book))["ESH"].quantity == 0


async def test_the_paper_venue_looks_by_itself_for_what_ends(tmp_path: Path) -> None:
    clock = VirtualClock(from_ns(3 * MINUTE - 1_000))
    async with (
        open_book(sqlite_url(tmp_path / "store.db"), dated(EXPIRES)) as book,
        insecure_channel("127.0.0.1:1") as nobody,
    ):
        await book.open(DATED)
        await on(book, LIVE, bar(0, 50))
        await book.submit(order("held", symbol="ESH"), now_ns=MINUTE)
        await on(book, LIVE, bar(1, 50))
        source = BarSource(datarpc.DataServiceStub(nobody), datasessionrpc.DataSessionServiceStub(nobody))
        venue = FeedFollower(book.db, book.market, source, clock, FeedMetrics(CollectorRegistry()))
        await venue.end_symbols()
        clock.advance(120)
        await venue.end_symbols()
        assert (await positions(book))["ESH"].quantity == 10  # two bars late is a microsecond away
        clock.advance(1)
        await venue.end_symbols()
        assert (await positions(book))["ESH"].quantity == 0


async def test_a_venue_that_was_away_waits_for_its_feed_to_catch_up_before_a_future_expires(tmp_path: Path) -> None:
    """Started an hour after the expiry: the last prices are still to come, two bars from when it last heard of them."""
    clock = VirtualClock(from_ns(63 * MINUTE))
    async with (
        open_book(sqlite_url(tmp_path / "store.db"), dated(EXPIRES)) as book,
        insecure_channel("127.0.0.1:1") as nobody,
    ):
        other = AccountFeed("live-aapl", "", symbol="AAPL", interval_s=60)
        await book.open(replace(DATED, feeds=(*DATED.feeds, other)))
        await on(book, LIVE, bar(0, 50))
        await book.submit(order("held", symbol="ESH"), now_ns=MINUTE)
        await on(book, LIVE, bar(1, 50))
        source = BarSource(datarpc.DataServiceStub(nobody), datasessionrpc.DataSessionServiceStub(nobody))
        venue = FeedFollower(book.db, book.market, source, clock, FeedMetrics(CollectorRegistry()))
        await venue.end_symbols()
        clock.advance(100)
        early = dataservicepb.SubscribeResponse(watermark=ns_to_proto(2 * MINUTE + MINUTE // 2))
        await venue.take(Feed(*LIVE), early)
        clock.advance(100)
        await venue.end_symbols()
        await book.db.write(lambda conn: show.show_bars(conn, book.market, ("live-aapl", ""), [bar(9, 70)], 0, 10**18))
        assert (await positions(book))["ESH"].quantity == 10
        await on(book, LIVE, bar(2, 53))
        await venue.end_symbols()
        assert (await positions(book))["ESH"].quantity == 0
        [told] = await audited(book)
        assert told.endswith("cash 200.00000000 USD")  # of the last bar's close, 54
