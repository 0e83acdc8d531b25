"""Measures read from a store: days that one message brings, late fills, and up to when prices hold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal as D

import pytest
from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account
from brokerage.domain.measures.scope import AccountMeasure
from brokerage.domain.orders.states import OrderType
from brokerage.risk_signals.measure import Measures, through_day
from qmtl.core.errors import NotReady
from tests.brokerage.samples import MARKET, MINUTE, OWNER, Book, bar, open_book, order, reported

DAY = 1_440  # minutes
SECOND = 10**9


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    async with open_book(database_url) as made:
        await made.open()
        yield made


async def account_of(book: Book) -> Account:
    return await book.db.read(lambda conn: accounts_store.account(conn, "acc"))


async def measured(
    book: Book, measures: Measures, now_ns: int = 10 * DAY * MINUTE, account: Account | None = None
) -> AccountMeasure:
    def read(conn: Connection) -> AccountMeasure:
        found = account or accounts_store.account(conn, "acc")
        return measures.account(conn, found, now_ns, ())

    return await book.db.read(read)


async def test_each_day_of_a_message_leaves_its_last_price(book: Book) -> None:
    await book.show(bar(0), bar(DAY - 1, 105), bar(DAY, 106), bar(2 * DAY + 3, 107))
    (feed,) = (await account_of(book)).feeds
    marks = await book.db.read(lambda conn: accounts_store.day_marks(conn, feed))
    assert marks == {0: 106_00, 1: 107_00, 2: 108_00}  # in whole cents, as the bars of the tests are
    await book.show(bar(2 * DAY + 4, 90), bar(4 * DAY, 91))
    (feed,) = (await account_of(book)).feeds
    later = await book.db.read(lambda conn: accounts_store.day_marks(conn, feed))
    assert sorted(later) == [0, 1, 2, 4]
    assert (later[0], later[1]) == (marks[0], marks[1])
    assert later[2] < marks[2]


async def test_a_fill_that_comes_late_restates_its_day(book: Book) -> None:
    await book.show(bar(0))
    await book.submit(order("o1", type=OrderType.LIMIT, limit_price=D(50)))
    await book.show(bar(5, 110), bar(DAY + 5, 120), bar(2 * DAY + 5))
    measures = Measures(book.market)
    assert not (await measured(book, measures)).days
    await book.book_fills(reported("t1"))  # ten at 100.5, a minute and a half into the first day
    found = (await measured(book, measures)).days[OWNER]
    assert {day: D(profit) / 10**8 for day, profit in found.profits.items()} == {0: D("104.75"), 1: D(100)}
    assert found.equity == {0: 100_000 * 10**8, 1: 10**8 * 100_104 + 75 * 10**6}


async def test_a_fill_of_today_changes_no_day_that_is_over(book: Book) -> None:
    await book.show(bar(0))
    await book.submit(order("o1"))
    await book.show(bar(1), bar(DAY + 5))
    measures = Measures(book.market)
    before = (await measured(book, measures)).days[OWNER]
    assert sorted(before.profits) == [0]
    await book.submit(order("o2"))
    await book.show(bar(DAY + 6, 130))
    after = await measured(book, measures)
    assert after.days[OWNER] == before
    assert [one.quantity for one in after.holdings] == [20 * 10 ** MARKET.instruments.listed()[0].quantity_scale]


async def test_prices_of_a_replay_hold_and_those_of_a_live_feed_until_the_next_bar_is_due(book: Book) -> None:
    await book.show(bar(0))
    await book.submit(order("o1"))
    await book.show(bar(1))
    replayed, measures = await account_of(book), Measures(book.market)
    closed_ns = 2 * MINUTE
    assert (await measured(book, measures)).as_of_ns == 10 * DAY * MINUTE
    live = replace(replayed, feeds=tuple(replace(feed, session_id="") for feed in replayed.feeds))
    for past_s, holds_s in ((30, 30), (60, 60), (600, 60)):
        found = await measured(book, Measures(book.market), closed_ns + past_s * SECOND, live)
        assert found.as_of_ns == closed_ns + holds_s * SECOND
    unpriced = replace(live, feeds=tuple(replace(feed, mark=None) for feed in live.feeds))
    with pytest.raises(NotReady, match="AAPL has no price"):
        await measured(book, measures, account=unpriced)


async def test_a_day_is_over_when_the_feed_has_brought_its_end(book: Book) -> None:
    await book.show(bar(DAY - 2))
    replayed = await account_of(book)
    live = replace(replayed, feeds=tuple(replace(feed, session_id="") for feed in replayed.feeds))
    midnight = DAY * MINUTE
    assert through_day(replayed, 10 * midnight) == -1
    assert through_day(live, midnight + SECOND) == -1  # its last bar is due
    assert through_day(live, 2 * midnight + SECOND) == 1  # it has stopped
    await book.show(bar(DAY - 1))
    assert through_day(await account_of(book), 0) == 0
