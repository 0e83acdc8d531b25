"""Bars shown to all accounts of a feed: one account that cannot take them stops nobody else."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from brokerage import schema as t
from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account, TradingState
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Owner
from brokerage.domain.orders.states import OrderState
from tests.brokerage.samples import ACCOUNT, MINUTE, WORLD, Book, bar, open_book, order

RICH = replace(ACCOUNT, account="a-rich", starting_cash=900_000_000 * 10**8)
RICH_OWNER = Owner("a-rich", WORLD, "s1")


async def stored(book: Book, name: str) -> Account:
    return await book.db.read(lambda conn: accounts_store.account(conn, name))


async def test_an_account_that_overflows_is_halted_and_told_and_the_others_go_on(database_url: str) -> None:
    async with open_book(database_url) as book:
        await book.open(RICH)
        await book.open()
        await book.show(bar(0))
        await book.submit(replace(order("big", quantity=8_000_000), owner=RICH_OWNER))
        await book.submit(order("small", quantity=1))
        assert await book.show(bar(1, 150_000, volume=10**9)) == 1
        assert await book.state("small") is OrderState.FILLED
        rich, other = await stored(book, "a-rich"), await stored(book, "acc")
        assert (rich.trading_state, other.trading_state) == (TradingState.HALTED, TradingState.ACTIVE)
        assert [one.position_ns for one in (*rich.feeds, *other.feeds)] == [2 * MINUTE] * 2
        assert (rich.missed_ns, other.missed_ns) == (2 * MINUTE, 0)
        assert rich.marks == other.marks
        rows = sa.select(t.audit_log).where(t.audit_log.c.act == "feed_failed")
        [row] = await book.db.read(lambda conn: conn.execute(rows).mappings().all())
        assert "E_AMOUNT_OVERFLOW" in str(dict(row))
        late = await book.submit(replace(order("late", quantity=1), owner=RICH_OWNER))
        assert late.record.denial is Denial.TRADING_HALTED
        assert await book.verify() > 0
