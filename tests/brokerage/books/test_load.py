"""The rest of a world, read with one query per table: the same as one account after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.books import load
from brokerage.domain.accounts.account import Account
from brokerage.domain.orders.order import Owner, Side
from brokerage.domain.orders.states import OrderType
from brokerage.domain.risk.exposure import NO_EXPOSURE, Exposure
from brokerage.orders import working
from qmtl.sql.database import sqlite_url
from tests.brokerage.orders.test_limits import market
from tests.brokerage.samples import ACCOUNT, WORLD, Book, bar, open_book, order, without_price
from tests.support.statements import statements_on

NAMES = [f"acc{number}" for number in range(7)]


async def crowd(book: Book, random: Random) -> None:
    """Accounts of one world, and one of another, with positions and resting orders of either side."""
    for name in ("acc", *NAMES):
        await book.open(replace(ACCOUNT, account=name))
    await book.open(replace(ACCOUNT, account="stranger"), world="w2", fenced=False)
    await book.show(bar(0))
    for minute in (1, 2):
        for number in range(40):
            owner = Owner(random.choice(NAMES[1:]), WORLD, f"s{random.randrange(3)}")
            wanted = order(f"{minute}-{number}", random.choice(list(Side)), random.randrange(1, 9), owner=owner)
            if random.random() < 0.4:
                wanted = replace(wanted, type=OrderType.LIMIT, limit_price=Decimal(random.choice([90, 115])))
            await book.submit(replace(wanted, reduce_only=random.random() < 0.3))
        await book.show(bar(minute))


def one_by_one(conn: Connection, book: Book, account: Account) -> Exposure | None:
    """Each of the other accounts by itself, from its own rows and its open orders."""
    total = NO_EXPOSURE
    for other in accounts_store.accounts_of(conn, WORLD):
        if other.account == account.account:
            continue
        view = working.load_open_orders(conn, book.market, other)
        busy = any(
            one.totals or any(held.quantity for held in one.ledger.positions.values()) for one in view.books.values()
        )
        if busy and (not other.marks or other.base_currency != account.base_currency):
            return None
        part = view.exposure()
        assert part is not None
        total += part
    return total


def together(conn: Connection, book: Book, account: Account) -> Exposure | None:
    world = accounts_store.accounts_of(conn, WORLD, lock=True)
    return load.world_beside(conn, book.market, account, WORLD, world)


@pytest.mark.parametrize("seed", range(4))
async def test_a_world_read_at_once_is_the_world_read_one_by_one(database_url: str, seed: int) -> None:
    async with open_book(database_url, market()) as book:
        await crowd(book, Random(seed))

        def compare(conn: Connection) -> Sequence[Exposure | None]:
            found = []
            for account in accounts_store.accounts_of(conn, WORLD):
                at_once = together(conn, book, account)
                assert at_once == one_by_one(conn, book, account)
                found.append(at_once)
            return found

        found = await book.db.write(compare)
        assert None not in found
        assert len(set(found)) > 3
        assert await book.verify() == 9


@pytest.mark.parametrize("change", ["price", "currency"])
async def test_only_an_account_that_has_something_must_be_valued(database_url: str, change: str) -> None:
    async with open_book(database_url, market()) as book:
        await crowd(book, Random(1))

        def found(conn: Connection, name: str) -> bool:
            other, account = accounts_store.account(conn, name), accounts_store.account(conn, "acc")
            if change == "price":
                without_price(conn, name)
            else:
                accounts_store.save_account(conn, replace(other, base_currency="EUR"))
            at_once = together(conn, book, account)
            assert at_once == one_by_one(conn, book, account)
            return at_once is not None

        assert await book.db.write(lambda conn: found(conn, NAMES[0]))
        assert not await book.db.write(lambda conn: found(conn, NAMES[1]))


async def test_a_larger_world_takes_no_more_statements(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db"), market()) as book:
        await crowd(book, Random(2))

        def statements(conn: Connection) -> int:
            account = accounts_store.account(conn, "acc")
            with statements_on(conn) as seen:
                together(conn, book, account)
            return len(seen)

        before = await book.db.write(statements)
        for number in range(20):
            await book.open(replace(ACCOUNT, account=f"more{number}"))
            await book.submit(order("o1", owner=Owner(f"more{number}", WORLD, "s1")))
        assert await book.db.write(statements) == before
