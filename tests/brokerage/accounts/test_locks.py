"""What waits for an account is decided on all of it as it stands then, with its prices, feeds and limits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.accounts.limits import set_account_limits
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.limits import AccountLimits
from brokerage.domain.orders.denials import Denial
from brokerage.feeds.show import show_bars
from qmtl.core.errors import Conflict
from tests.brokerage.samples import ACTOR, FEED, MARKET, WORLD, Book, bar, open_book, order
from tests.support.waiting import eventually

WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
HELD_S = 30.0


@pytest.fixture
async def book(postgres_url: str) -> AsyncIterator[Book]:
    """An account with 100,000 where a share costs 101."""
    async with open_book(postgres_url) as opened:
        await opened.open()
        await opened.show(bar(0))
        yield opened


@asynccontextmanager
async def done_meanwhile(book: Book, act: Callable[[Connection], object]) -> AsyncIterator[None]:
    """An act that is done before what is asked within, which waits for it, and committed after."""
    done, commits = threading.Event(), threading.Event()

    def hold(conn: Connection) -> None:
        act(conn)
        done.set()
        assert commits.wait(HELD_S)

    async def is_waited_for() -> bool:
        return bool(await book.db.read(lambda conn: conn.execute(WAITING).scalar_one()))

    async def commit() -> None:
        try:
            await eventually(is_waited_for)
        finally:
            commits.set()

    holding = asyncio.create_task(book.db.write(hold))
    assert await asyncio.to_thread(done.wait, HELD_S)
    committing = asyncio.create_task(commit())
    try:
        yield
    finally:
        await committing
        await holding


def double(conn: Connection) -> None:
    show_bars(conn, MARKET, FEED, [bar(1, 200)], 0, 7)


def limit(revision: int, gross: int) -> Callable[[Connection], Account]:
    limits = AccountLimits(revision, gross_max=gross * 10**8)
    return lambda conn: set_account_limits(conn, "acc", limits, ACTOR, 7)


@pytest.mark.parametrize(
    ("act", "denial"),
    [(double, Denial.BALANCE_INSUFFICIENT), (limit(1, 50_000), Denial.EXPOSURE_ABOVE_LIMIT)],
    ids=["price", "limits"],
)
async def test_an_order_that_waited_is_judged_by_what_was_committed_meanwhile(
    book: Book, act: Callable[[Connection], object], denial: Denial
) -> None:
    """900 shares for 90,900, which are 180,900 by then."""
    async with done_meanwhile(book, act):
        taken = await book.submit(order("o1", quantity=900))
    assert taken.record.denial is denial


async def test_limits_of_a_lower_revision_that_waited_replace_nothing(book: Book) -> None:
    with pytest.raises(Conflict, match="stand at revision 2"):
        async with done_meanwhile(book, limit(2, 50_000)):
            await book.db.write(limit(1, 90_000))
    account = await book.db.read(lambda conn: accounts_store.account(conn, "acc"))
    assert account.limits.revision == 2


@pytest.mark.parametrize(
    "look",
    [
        lambda conn: accounts_store.accounts_of(conn, WORLD, lock=True)[0],
        lambda conn: accounts_store.accounts_on(conn, *FEED, lock=True)[0],
    ],
    ids=["of a world", "on a feed"],
)
async def test_accounts_that_are_locked_together_are_as_they_stand_then(
    book: Book, look: Callable[[Connection], Account]
) -> None:
    async with done_meanwhile(book, double):
        found = await book.db.write(look)
    assert found.shown_ns == bar(1).end_ns
    assert found.marks["AAPL"].price == 201_00
