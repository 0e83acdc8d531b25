"""Limits of a world as a store holds them: every order is held to those of its fence's epoch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from brokerage import schema as t
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.domain.risk.fence import FenceState
from brokerage.fences import change
from brokerage.orders.entry import submit
from qmtl.core.errors import NotReady
from qmtl.core.limits import UNLIMITED, RiskLimits
from qmtl.sql.database import sqlite_url
from tests.brokerage.orders.test_world_limits import limits
from tests.brokerage.samples import (
    ACCOUNT,
    GATE,
    LIMIT_NAMES,
    MARKET,
    WORLD,
    Book,
    bar,
    fence,
    open_book,
    order,
    without_price,
)
from tests.support.statements import statements_on


@asynccontextmanager
async def opened(url: str, *others: str) -> AsyncIterator[Book]:
    """A margin account with 100,000, and others of its world, at a price of 101."""
    async with open_book(url, replace(MARKET, profile=margin(10))) as book:
        for name in ("acc", *others):
            await book.open(replace(ACCOUNT, account=name))
        await book.show(bar(0))
        yield book


async def denial(book: Book, wanted: Order, epoch: int = 2) -> Denial | None:
    return (await book.submit(wanted, replace(GATE, epoch=epoch))).record.denial


def by(strategy: str, wanted: Order, account_name: str = "acc") -> Order:
    return replace(wanted, owner=Owner(account_name, WORLD, strategy))


def everything(conn: sa.Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for table in t.metadata.sorted_tables for row in conn.execute(sa.select(table))]


async def test_limits_are_stored_with_the_fence_and_told_again(database_url: str) -> None:
    whole = limits(**{name: f"{number}.50" for number, name in enumerate(LIMIT_NAMES, 1)})
    async with opened(database_url) as book:
        for epoch, told in ((2, whole), (3, limits(net_notional_max="7")), (4, UNLIMITED)):
            await book.fence(fence(epoch, limits=told))
            found, _ = await book.db.read(lambda conn: change.current(conn, WORLD))
            assert found == fence(epoch, limits=told)
        acts = await book.db.read(lambda conn: conn.execute(sa.select(t.audit_log.c.detail)).scalars().all())
        said = [act.split(", may add: ")[0] for act in acts[-2:]]
        assert said == ['epoch 3 OPEN PAPER, limits {"net_notional_max":"7"}', "epoch 4 OPEN PAPER"]


async def test_orders_are_held_to_the_limits_of_their_epoch(database_url: str) -> None:
    async with opened(database_url) as book:
        assert await denial(book, order("before", quantity=30), 1) is None
        await book.fence(fence(2, limits=limits(order_notional_max="1010", long_notional_max="4040")))
        assert await denial(book, order("a", quantity=11)) is Denial.NOTIONAL_ABOVE_LIMIT
        assert await denial(book, order("b", quantity=10)) is None
        assert await denial(book, order("c", quantity=1)) is Denial.POSITION_ABOVE_LIMIT
        assert await denial(book, by("s2", order("d", quantity=1))) is None
        await book.fence(fence(3))
        assert await denial(book, order("e", quantity=30), 3) is None
        await book.show(bar(1))
        assert await book.verify() == 1


async def test_what_is_there_when_limits_come_is_left_alone(database_url: str) -> None:
    async with opened(database_url) as book:
        book.market = replace(book.market, emulate_stops=True)
        await denial(book, order("resting", quantity=50), 1)
        stop = order("stop", quantity=50, type=OrderType.STOP_MARKET, stop_price=Decimal(110))
        await denial(book, stop, 1)
        await book.fence(fence(2, limits=limits(**dict.fromkeys(LIMIT_NAMES, "0.01"))))
        assert await book.show(bar(1)) == 1
        await book.show(bar(2, 110))
        assert await book.state("stop") is OrderState.ACCEPTED
        assert await book.show(bar(3, 110)) == 1
        assert await denial(book, order("more", quantity=1)) is Denial.NOTIONAL_ABOVE_LIMIT
        assert await denial(book, order("out", Side.SELL, 100)) is None


async def test_a_new_stop_is_held_to_the_limits_when_it_is_taken(database_url: str) -> None:
    async with opened(database_url) as book:
        book.market = replace(book.market, emulate_stops=True)
        await book.fence(fence(2, limits=limits(long_notional_max="2000")))
        stop = order("stop", quantity=50, type=OrderType.STOP_MARKET, stop_price=Decimal(110))
        assert await denial(book, stop) is Denial.POSITION_ABOVE_LIMIT


async def test_strategies_and_accounts_of_a_world_do_not_overshoot_together(database_url: str) -> None:
    async with opened(database_url, "acc0", "acc1", "acc2") as book:
        await book.fence(fence(2, limits=limits(gross_notional_max="1000")))
        wanted = [by(f"s{n % 2}", order(f"o{n}", list(Side)[n % 2], 2), f"acc{n % 3}") for n in range(12)]
        answers = await asyncio.gather(*(denial(book, one) for one in wanted))
        assert sorted(answers, key=str) == [Denial.EXPOSURE_ABOVE_LIMIT] * 8 + [None] * 4
        await book.verify()


async def test_net_lets_accounts_hedge_each_other(database_url: str) -> None:
    async with opened(database_url, "other") as book:
        await book.fence(fence(2, limits=limits(net_notional_max="1010")))
        assert await denial(book, order("a", quantity=10)) is None
        assert await denial(book, by("s1", order("b", quantity=1), "other")) is Denial.EXPOSURE_ABOVE_LIMIT
        assert await denial(book, by("s1", order("c", Side.SELL, 10), "other")) is None
        await book.show(bar(1))
        assert await denial(book, by("s2", order("d", quantity=10))) is None


async def test_limits_that_come_amid_orders_bind_every_order_of_their_epoch(database_url: str) -> None:
    taken = {1: 0, 2: 0}

    async def ask(number: int, epoch: int) -> None:
        wanted = by("s1", order(f"{epoch}-{number}", quantity=2), f"acc{number % 3}")
        with suppress(NotReady):
            passed = await denial(book, wanted, epoch) is None
            taken[epoch] += passed

    async with opened(database_url, "acc0", "acc1", "acc2") as book:
        first = [ask(number, 1 + number % 2) for number in range(6)]
        moved = book.fence(fence(2, limits=limits(gross_notional_max="1000")))
        await asyncio.gather(*first, moved, *(ask(number, 1 + number % 2) for number in range(6, 18)))
        assert taken[2] <= max(4 - taken[1], 0)
        await asyncio.gather(*(ask(number, 2) for number in range(18, 27)))
        assert taken[2] == max(4 - taken[1], 0)


async def test_an_order_that_meets_wider_limits_than_were_seen_before_the_locks_is_to_come_again(
    database_url: str,
) -> None:
    async with opened(database_url) as book:
        gate, one = replace(GATE, epoch=2), order("a", quantity=1)
        told = limits(gross_notional_max="1000")
        await book.fence(fence(2, limits=told))

        def take(conn: sa.Connection, seen: RiskLimits) -> Denial | None:
            taken, _ = submit.submit(conn, book.market, one, gate, 6, seen)
            return taken.record.denial

        before = await book.db.read(everything)
        with pytest.raises(NotReady, match=r"E_STALE_EPOCH: the fence of world w1 moved to epoch 2 .*send it again"):
            await book.db.write(lambda conn: take(conn, UNLIMITED))
        assert await book.db.read(everything) == before
        assert await book.db.write(lambda conn: take(conn, told)) is None


async def test_what_the_fence_refuses_is_refused_whatever_was_seen_of_its_limits(database_url: str) -> None:
    async with opened(database_url) as book:
        told, one = limits(gross_notional_max="1000"), order("a", quantity=1)
        await book.fence(fence(2, FenceState.FROZEN, limits=told))
        gate = replace(GATE, epoch=2)
        taken, _ = await book.db.write(lambda conn: submit.submit(conn, book.market, one, gate, 6, UNLIMITED))
        assert taken.record.denial is Denial.FENCED


async def test_a_world_with_an_account_that_has_no_price_is_over_its_limit(database_url: str) -> None:
    async with opened(database_url, "other") as book:
        await book.fence(fence(2, limits=limits(net_notional_max="100000")))
        assert await denial(book, by("s1", order("a"), "other")) is None
        await book.db.write(without_price)
        assert await denial(book, order("b")) is Denial.EXPOSURE_ABOVE_LIMIT


async def test_only_limits_over_all_accounts_cost_statements(tmp_path: Path) -> None:
    async with opened(sqlite_url(tmp_path / "store.db"), "other") as book:

        async def statements(epoch: int, told: RiskLimits) -> int:
            await book.fence(fence(epoch, limits=told))
            one, gate = order(f"o{epoch}", quantity=1), replace(GATE, epoch=epoch)

            def take(conn: sa.Connection) -> int:
                with statements_on(conn) as seen:
                    taken, _ = submit.submit(conn, book.market, one, gate, 6, told)
                assert taken.record.denial is None
                return len(seen)

            return await book.db.write(take)

        plain = await statements(2, UNLIMITED)
        assert await statements(3, limits(order_notional_max="5000", long_notional_max="5000")) == plain
        assert await statements(4, limits(gross_notional_max="5000")) > plain
