"""What each fence lets go at each door: the gate's order, a stop's trigger, the reopening, and the wire.

The account is ten shares long: a sale reduces, a purchase increases. Open lets both pass, a drain what reduces,
a freeze nothing. A gateway's act that may not go is denied; one brokerage starts itself is held.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from brokerage.books import store as books_store
from brokerage.domain.accounts.account import TradingState
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.latency import Link
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Side
from brokerage.domain.orders.reports import VenueAct
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.domain.risk.fence import FenceState
from brokerage.venues.dispatch.closing import NOTHING_HELD
from brokerage.venues.dispatch.emulation import HELD
from qmtl.sql.database import sqlite_url
from tests.brokerage.samples import GATE, MARKET, Book, bar, fence, open_book, order

NEAR = replace(MARKET, profile=BrokerageProfile(buying_power=BuyingPower.MARGIN, leverage=4), emulate_stops=True)
FAR = replace(NEAR, link=Link(latency_ms=1))
STOPS = {Side.SELL: 95, Side.BUY: 105}
REACHED = {Side.SELL: 94, Side.BUY: 106}

every_fence = pytest.mark.parametrize("state", FenceState)
either_side = pytest.mark.parametrize("side", Side)


def passes(state: FenceState, side: Side) -> bool:
    return state is FenceState.OPEN or (state is FenceState.DRAIN and side is Side.SELL)


def stop(side: Side, name: str = "stop", quantity: int = 4) -> Order:
    return order(name, side, quantity, type=OrderType.STOP_MARKET, stop_price=Decimal(STOPS[side]))


async def sent(book: Book, name: str) -> None:
    assert await book.to_wire(name)
    await book.arrive(name)
    await book.answer(name)


async def holding(book: Book) -> Book:
    await book.open()
    await book.show(bar(0))
    await book.submit(order("o1"))
    if not book.market.link.direct:
        await sent(book, "o1")
    assert await book.show(bar(1)) == 1
    return book


@pytest.fixture
async def near(tmp_path: Path) -> AsyncIterator[Book]:
    async with open_book(f"sqlite:///{tmp_path / 'store.db'}", NEAR) as made:
        yield await holding(made)


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[Book]:
    async with open_book(f"sqlite:///{tmp_path / 'store.db'}", FAR) as made:
        yield await holding(made)


@every_fence
@either_side
async def test_an_order_at_the_gate(near: Book, state: FenceState, side: Side) -> None:
    await near.fence(fence(2, state))
    stored = await near.submit(order("act", side, 4), replace(GATE, epoch=2))
    assert stored.record.denial is (None if passes(state, side) else Denial.FENCED)


@every_fence
@either_side
async def test_a_stop_at_its_trigger(near: Book, state: FenceState, side: Side) -> None:
    await near.submit(stop(side))
    await near.fence(fence(2, state))
    await near.show(bar(2, REACHED[side]))
    record = (await near.order("stop")).record
    if passes(state, side):
        assert record.state is OrderState.ACCEPTED
    else:
        assert (record.state, record.detail) == (OrderState.EMULATED, HELD)


@every_fence
@either_side
async def test_a_held_stop_at_the_reopening(near: Book, state: FenceState, side: Side) -> None:
    await near.submit(stop(side))
    await near.fence(fence(2, FenceState.FROZEN))
    await near.show(bar(2, REACHED[side]))
    await near.fence(fence(3, state))
    await near.look_at_stops()
    assert await near.state("stop") is (OrderState.ACCEPTED if passes(state, side) else OrderState.EMULATED)


@every_fence
@either_side
async def test_a_released_stop_at_the_wire(far: Book, state: FenceState, side: Side) -> None:
    await far.submit(stop(side))
    await far.show(bar(2, REACHED[side]))
    assert await far.state("stop") is OrderState.RELEASED
    await far.fence(fence(2, state))
    assert await far.to_wire("stop") == passes(state, side)
    record = (await far.order("stop")).record
    if not passes(state, side):
        assert (record.state, record.detail) == (OrderState.RELEASED, HELD)


@every_fence
@either_side
async def test_an_order_at_the_wire_after_the_fence_moved(far: Book, state: FenceState, side: Side) -> None:
    await far.submit(order("act", side, 4))
    await far.fence(fence(2, state))
    assert not await far.to_wire("act")
    record = (await far.order("act")).record
    assert (record.state, record.denial) == (OrderState.DENIED, Denial.FENCED)


async def test_an_order_at_the_wire_that_reduces_no_longer(far: Book) -> None:
    await far.fence(fence(2, FenceState.DRAIN))
    for name in ("first", "second"):
        await far.submit(order(name, Side.SELL), replace(GATE, epoch=2))
    await sent(far, "first")
    assert await far.show(bar(2)) == 1
    assert not await far.to_wire("second")
    record = (await far.order("second")).record
    assert (record.state, record.denial) == (OrderState.CANCELED, None)
    assert record.detail == NOTHING_HELD


async def position(book: Book) -> int:
    return await book.db.read(lambda conn: sum(p.quantity for _, _, p in books_store.load_positions(conn, "acc")))


async def test_stops_reached_together_in_a_drain_do_not_turn_the_position_round(near: Book) -> None:
    for name in ("a", "b"):
        await near.submit(stop(Side.SELL, name, 10))
    await near.fence(fence(2, FenceState.DRAIN))
    await near.show(bar(2, 94), bar(3, 94))
    assert await position(near) == 0


async def test_stops_of_an_account_that_only_reduces_do_not_turn_the_position_round(near: Book) -> None:
    for name in ("a", "b"):
        await near.submit(stop(Side.SELL, name, 10))
    await near.set_trading(TradingState.REDUCING)
    await near.show(bar(2, 94), bar(3, 94))
    assert await position(near) == 0


async def test_orders_taken_together_in_a_drain_do_not_turn_the_position_round(near: Book) -> None:
    await near.fence(fence(2, FenceState.DRAIN))
    for name in ("a", "b"):
        await near.submit(order(name, Side.SELL, 10), replace(GATE, epoch=2))
    await near.show(bar(2))
    assert await position(near) == 0


async def test_stops_released_before_a_drain_do_not_turn_the_position_round_in_it(far: Book) -> None:
    for name in ("a", "b"):
        await far.submit(stop(Side.SELL, name, 10))
    await far.show(bar(2, 94))
    await far.fence(fence(2, FenceState.DRAIN))
    for name in ("a", "b"):
        await sent(far, name)
    await far.show(bar(3, 94))
    assert await position(far) == 0
    assert await far.verify() == 1


async def test_what_was_not_sent_does_not_arrive(far: Book) -> None:
    before = await far.reached_venue()
    await far.submit(order("act"))
    await far.arrive("act")
    assert await far.reached_venue() == before


async def test_a_drain_lets_a_stop_go_that_is_reduce_only_for_more_than_is_left(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db"), NEAR) as book:
        await holding(book)
        await book.submit(replace(stop(Side.SELL, quantity=10), reduce_only=True))
        await book.submit(order("part", Side.SELL, 6))
        await book.show(bar(2))
        await book.fence(fence(2, FenceState.DRAIN))
        await book.show(bar(3, REACHED[Side.SELL]))
        assert await book.state("stop") is OrderState.ACCEPTED
        assert await book.show(bar(4, REACHED[Side.SELL])) == 1
        closed = (await book.order("stop")).record
        held = await book.db.read(lambda conn: books_store.load_positions(conn, "acc"))
    assert closed.filled == 4
    assert [position.quantity for _, _, position in held] == [0]


async def test_a_drain_holds_such_a_stop_where_nothing_is_left(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db"), NEAR) as book:
        await holding(book)
        await book.submit(replace(stop(Side.SELL, quantity=10), reduce_only=True))
        await book.submit(order("all", Side.SELL, 10))
        await book.show(bar(2))
        await book.fence(fence(2, FenceState.DRAIN))
        await book.show(bar(3, REACHED[Side.SELL]))
        assert (await book.order("stop")).record.detail == HELD


@pytest.mark.parametrize(("quantity", "goes"), [(10, True), (11, False)])
async def test_a_change_is_judged_by_what_it_asks_for_where_only_reducing_goes(
    tmp_path: Path, quantity: int, goes: bool
) -> None:
    """A sale of 4 of the ten that are held, made larger: by the first quantity either would pass."""
    async with open_book(sqlite_url(tmp_path / "store.db"), FAR) as book:
        await holding(book)
        await book.submit(order("rest", Side.SELL, 4, type=OrderType.LIMIT, limit_price=Decimal(120)))
        await sent(book, "rest")
        book.market = replace(FAR, only_reduces=lambda: "the clocks are apart")
        await book.replace("rest", quantity=quantity)
        assert await book.to_wire("rest", VenueAct.REPLACE) is goes
        assert ("clocks are apart" in (await book.order("rest")).record.detail) is not goes
