"""A fence that narrows withdraws what could add and nothing else: protection stays until the position is flat."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.domain.risk.fence import FenceState
from brokerage.orders.entry.protection import WITHDRAWN, accounts_to_narrow, narrow_account
from qmtl.core.errors import NotReady
from qmtl.core.modes import EffectiveMode
from tests.brokerage.orders.entry.test_submit_list import bracket, submit, wide
from tests.brokerage.samples import GATE, MARKET, OWNER, STANDINGS, Book, bar, fence, open_book, order


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    """Ten held."""
    async with open_book(database_url) as made:
        await made.open()
        await made.show(bar(0))
        await made.submit(order("held"))
        await made.show(bar(1))
        yield made


def stop(name: str, quantity: int = 10, *, reduce_only: bool = False) -> Order:
    return order(name, Side.SELL, quantity, type=OrderType.STOP_MARKET, stop_price=Decimal(95), reduce_only=reduce_only)


def resting(name: str, owner: Owner = OWNER) -> Order:
    return order(name, type=OrderType.LIMIT, limit_price=Decimal(90), owner=owner)


async def narrowed(book: Book) -> int:
    found = await book.db.read(accounts_to_narrow)
    return sum([await book.db.write(lambda conn: narrow_account(conn, book.market, "acc", 20)) for _ in found])


@pytest.mark.parametrize("state", [FenceState.DRAIN, FenceState.FROZEN])
async def test_entries_go_and_what_protects_stays_until_flat(book: Book, state: FenceState) -> None:
    await book.submit(order("entry", type=OrderType.LIMIT, limit_price=Decimal(90)))
    await book.submit(stop("stop", 6, reduce_only=True))
    await book.submit(stop("bare", 4))
    assert await narrowed(book) == 0
    await book.fence(fence(2, state))
    assert await narrowed(book) == 2
    assert await narrowed(book) == 0
    entry, bare = await book.order("entry"), await book.order("bare")
    assert (entry.record.state, entry.record.detail) == (OrderState.CANCELED, WITHDRAWN)
    assert (bare.record.state, bare.record.order.reduce_only) == (OrderState.ACCEPTED, True)
    assert await book.verify() == 1
    assert await book.show(bar(2, 94)) == 2
    assert [await book.state(name) for name in ("stop", "bare")] == [OrderState.FILLED] * 2
    assert (await book.portfolio()).positions[0].quantity == "0"


async def test_an_entry_that_is_withdrawn_ends_its_bracket_and_a_filled_one_keeps_it(book: Book) -> None:
    await submit(book, bracket(5))
    await book.show(wide(2, 99, 101))
    resting = [replace(one, client_order_id=f"{one.client_order_id}2", list_id="l2") for one in bracket(5)]
    entry, *exits = resting
    exits = [replace(one, parent="entry2", linked=tuple(f"{name}2" for name in one.linked)) for one in exits]
    entry = replace(entry, type=OrderType.LIMIT, limit_price=Decimal(90), linked=("stop2", "target2"))
    await submit(book, [entry, *exits])
    await book.fence(fence(2, FenceState.DRAIN))
    await narrowed(book)
    second = [await book.state(f"{name}2") for name in ("entry", "stop", "target")]
    assert second == [OrderState.CANCELED] * 3
    assert [await book.state(name) for name in ("stop", "target")] == [OrderState.ACCEPTED] * 2


async def test_a_world_that_takes_no_more_orders_keeps_no_entry(book: Book) -> None:
    await book.submit(order("entry", type=OrderType.LIMIT, limit_price=Decimal(90)))
    await book.fence(fence(2, mode=EffectiveMode.COMPUTE_ONLY))
    assert await narrowed(book) == 1
    assert await book.state("entry") is OrderState.CANCELED


async def test_a_watched_stop_that_could_add_goes_too(database_url: str) -> None:
    async with open_book(database_url, replace(MARKET, emulate_stops=True)) as book:
        await book.open()
        await book.show(bar(0))
        await book.submit(order("above", type=OrderType.STOP_MARKET, stop_price=Decimal(110)))
        await book.fence(fence(2, FenceState.FROZEN))
        assert await narrowed(book) == 1
        assert await book.state("above") is OrderState.CANCELED


async def test_a_demotion_in_an_open_world_withdraws_what_one_strategy_could_add_and_nothing_else(book: Book) -> None:
    neighbour = replace(OWNER, strategy_id="s2")
    await book.submit(resting("entry"))
    await book.submit(resting("beside", owner=neighbour))
    await book.submit(stop("stop", 6, reduce_only=True))
    await book.submit(stop("bare", 4))
    left = STANDINGS - {(OWNER.strategy_id, side) for side in Side}
    await book.fence(fence(2, standings=left))
    assert await narrowed(book) == 2
    assert await narrowed(book) == 0
    assert await book.state("entry") is OrderState.CANCELED
    assert [await book.state(name) for name in ("stop", "bare")] == [OrderState.ACCEPTED] * 2
    assert (await book.order("bare")).record.order.reduce_only
    assert (await book.cancel("beside", neighbour)).record.detail != WITHDRAWN


@pytest.mark.parametrize(("lost", "goes"), [(Side.BUY, 1), (Side.SELL, 0)])
async def test_a_standing_is_of_one_side(book: Book, lost: Side, goes: int) -> None:
    await book.submit(order("entry", type=OrderType.LIMIT, limit_price=Decimal(90)))
    await book.fence(fence(2, standings=STANDINGS - {(OWNER.strategy_id, lost)}))
    assert await narrowed(book) == goes


async def test_who_is_not_listed_may_only_reduce(book: Book) -> None:
    await book.fence(fence(2, standings=frozenset()))
    gate = replace(GATE, epoch=2)
    denied = (await book.submit(order("more"), gate)).record
    assert (denied.denial, "s1 may add nothing by a BUY" in denied.detail) == (Denial.FENCED, True)
    turning = (await book.submit(order("turn", Side.SELL, 11), gate)).record
    assert turning.denial is Denial.FENCED
    leaving = (await book.submit(order("leave", Side.SELL, 10), gate)).record
    assert (leaving.denial, leaving.order.reduce_only) == (None, True)


async def test_an_epoch_has_one_set_of_standings(book: Book) -> None:
    await book.fence(fence(2, standings=frozenset()))
    with pytest.raises(NotReady, match="behind"):
        await book.fence(fence(2))
