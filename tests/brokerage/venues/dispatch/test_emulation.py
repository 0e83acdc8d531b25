"""Emulated stops: watched here, let go by the fence of the moment, held through a freeze, looked at anew after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from brokerage.domain.accounts.account import TradingState
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.latency import Link
from brokerage.domain.orders.order import Order, Side
from brokerage.domain.orders.states import OrderState, OrderType, TimeInForce
from brokerage.domain.risk.fence import FenceState
from brokerage.orders.wire import status_to_proto
from brokerage.venues.dispatch.emulation import HELD
from qmtl.core.modes import EffectiveMode
from qmtl.sql.database import sqlite_url
from tests.brokerage.samples import ACCOUNT, GATE, MARKET, MINUTE, STOCK, Book, bar, fence, open_book, order

NEAR = replace(MARKET, emulate_stops=True)
FAR = replace(NEAR, link=Link(latency_ms=1))


def stop(client_order_id: str = "stop", price: int = 95, side: Side = Side.SELL, quantity: int = 10) -> Order:
    return order(client_order_id, side, quantity, type=OrderType.STOP_MARKET, stop_price=Decimal(price))


async def holding(book: Book) -> Book:
    """An account that holds ten and protects them with a stop at 95. Bars stay within two of their open."""
    await book.open()
    await book.show(bar(0))
    await book.submit(order("o1"))
    if not book.market.link.direct:
        await book.to_wire("o1")
        await book.arrive("o1")
        await book.answer("o1")
    await book.show(bar(1))
    stored = await book.submit(stop())
    assert stored.record.state is OrderState.EMULATED
    assert status_to_proto(stored).venue_order_id == ""
    return book


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    async with open_book(database_url, NEAR) as made:
        yield await holding(made)


@pytest.fixture
async def far(database_url: str) -> AsyncIterator[Book]:
    async with open_book(database_url, FAR) as made:
        yield await holding(made)


async def kinds(book: Book) -> list[str]:
    return [event.kind.value for event in (await book.order("stop")).events]


async def test_a_stop_waits_for_its_price_and_then_sells_at_the_next_open(book: Book) -> None:
    assert await book.show(bar(2)) == 0
    assert await book.state("stop") is OrderState.EMULATED
    assert await book.show(bar(3, 96)) == 0
    assert await kinds(book) == ["INITIALIZED", "EMULATED", "RELEASED", "SUBMITTED", "ACCEPTED"]
    assert await book.show(bar(4, 120)) == 1
    fill = (await book.order("stop")).events[-1].fill
    assert fill is not None
    assert fill.price == 120_00
    assert await book.verify() == 1


LISTED = replace(STOCK, calendar="XNYS")
CLOSES = 28_952_460  # the minute of 2025-01-17 21:00 UTC, the close in New York


async def test_a_stop_is_let_go_by_prices_of_regular_hours_only(tmp_path: Path) -> None:
    market = replace(NEAR, instruments=Instruments([LISTED]))
    async with open_book(sqlite_url(tmp_path / "store.db"), market) as book:
        await book.open()
        await book.show(bar(CLOSES - 3))
        await book.submit(order("o1"))
        await book.show(bar(CLOSES - 2))
        for name in ("stop", "other"):
            await book.submit(stop(name, quantity=5))
        await book.cancel("other")
        await book.show(bar(CLOSES, 94))
        assert await book.state("stop") is OrderState.EMULATED
        await book.fence(fence(2))  # looks anew at the last price, which is of after the close
        assert await book.look_at_stops() == 0
        assert await book.state("stop") is OrderState.EMULATED
        monday = CLOSES + 4 * 24 * 60 - 390  # the open of the 21st: the 20th is a holiday
        await book.show(bar(monday - 1, 94))
        assert await book.state("stop") is OrderState.EMULATED
        await book.show(bar(monday, 94))
        assert await kinds(book) == ["INITIALIZED", "EMULATED", "RELEASED", "SUBMITTED", "ACCEPTED"]


async def test_a_stop_that_ends_within_a_bar_is_not_let_go_by_it(book: Book) -> None:
    await book.cancel("stop")
    for name, ends in (("ends", 4 * MINUTE), ("lives", 4 * MINUTE + 1)):
        await book.submit(replace(stop(name, quantity=1), tif=TimeInForce.GTD, expire_at_ns=ends))
    await book.show(bar(3, 94))
    assert [await book.state(name) for name in ("ends", "lives")] == [OrderState.EMULATED, OrderState.ACCEPTED]
    await book.show(bar(4, 94))
    assert [await book.state(name) for name in ("ends", "lives")] == [OrderState.EXPIRED, OrderState.FILLED]


async def test_a_buying_stop_and_bars_in_one_message(book: Book) -> None:
    await book.submit(stop("up", 105, Side.BUY, 3))
    assert await book.show(bar(2, 102), bar(3, 104), bar(4, 101)) == 1
    fill = (await book.order("up")).events[-1].fill
    assert fill is not None
    assert fill.price == 101_00


async def test_a_bar_from_before_the_stop_does_not_reach_it(book: Book) -> None:
    await book.submit(replace(stop("later", 105, Side.BUY), decided_ns=9 * MINUTE))
    await book.show(bar(8, 110))
    assert await book.state("later") is OrderState.EMULATED


async def test_a_stop_reached_during_a_freeze_is_held_and_goes_after_it(book: Book) -> None:
    await book.fence(fence(2, FenceState.FROZEN))
    await book.show(bar(2, 94))
    await book.show(bar(3, 94))
    stored = await book.order("stop")
    assert (stored.record.state, stored.record.detail) == (OrderState.EMULATED, HELD)
    assert await kinds(book) == ["INITIALIZED", "EMULATED", "UPDATED"]
    assert await book.look_at_stops() == 0
    await book.fence(fence(3))
    assert await book.look_at_stops() == 3
    assert await book.show(bar(4, 93)) == 1


async def test_after_a_freeze_with_the_price_back_over_it_the_stop_keeps_waiting(book: Book) -> None:
    await book.fence(fence(2, FenceState.FROZEN))
    await book.show(bar(2, 94))
    await book.show(bar(3, 100))
    await book.fence(fence(3))
    assert await book.look_at_stops() == 0
    assert await book.show(bar(4, 100)) == 0
    assert await book.state("stop") is OrderState.EMULATED
    await book.show(bar(5, 94))
    assert await book.show(bar(6, 94)) == 1


async def test_a_drain_lets_a_reducing_stop_go_and_holds_an_increasing_one(book: Book) -> None:
    await book.submit(stop("up", 105, Side.BUY, 3))
    await book.fence(fence(2, FenceState.DRAIN))
    await book.show(bar(2, 94))
    assert await book.state("stop") is OrderState.ACCEPTED
    await book.show(bar(3, 106))
    assert await book.state("stop") is OrderState.FILLED
    assert (await book.order("up")).record.detail == HELD


@pytest.mark.parametrize("mode", [EffectiveMode.COMPUTE_ONLY, EffectiveMode.SHADOW, EffectiveMode.VALIDATE])
async def test_a_mode_without_orders_holds_it(book: Book, mode: EffectiveMode) -> None:
    await book.fence(fence(2, mode=mode))
    await book.show(bar(2, 94))
    assert await book.state("stop") is OrderState.EMULATED


@pytest.mark.parametrize(
    ("state", "want"), [(TradingState.HALTED, OrderState.EMULATED), (TradingState.REDUCING, OrderState.ACCEPTED)]
)
async def test_the_accounts_own_state_holds_it_too(book: Book, state: TradingState, want: OrderState) -> None:
    await book.set_trading(state)
    await book.show(bar(2, 94))
    assert await book.state("stop") is want


async def test_it_expires_and_is_cancelled_through_a_freeze(book: Book) -> None:
    await book.submit(replace(stop("day", 150, Side.BUY), tif=TimeInForce.GTD, expire_at_ns=4 * MINUTE))
    await book.fence(fence(2, FenceState.FROZEN))
    assert (await book.cancel("stop")).record.state is OrderState.CANCELED
    await book.show(bar(4))
    assert await book.state("day") is OrderState.EXPIRED


async def test_between_its_trigger_and_the_wire_the_fence_is_asked_again(far: Book) -> None:
    await far.show(bar(2, 94))
    assert await far.state("stop") is OrderState.RELEASED
    assert await far.fence(fence(2, FenceState.FROZEN)) == []
    assert not await far.to_wire("stop")
    assert not await far.to_wire("stop")
    assert await kinds(far) == ["INITIALIZED", "EMULATED", "RELEASED", "UPDATED"]
    await far.fence(fence(3))
    await far.show(bar(3, 100))
    assert not await far.to_wire("stop")
    await far.show(bar(4, 94))
    assert await far.to_wire("stop")
    assert await far.fence(fence(4, FenceState.FROZEN)) == ["stop"]
    await far.arrive("stop")
    await far.answer("stop")
    assert await far.show(bar(5, 94)) == 1
    assert await far.verify() == 1


async def test_a_release_that_was_not_sent_is_sent_once_under_the_epoch_of_the_send(far: Book) -> None:
    await far.show(bar(2, 94))
    await far.fence(fence(2))
    assert await far.to_wire("stop")
    assert not await far.to_wire("stop")
    assert (await far.order("stop")).epoch == GATE.epoch
    assert await far.epoch_on_the_wire("stop") == 2


async def test_a_native_stop_stays_with_the_venue(database_url: str) -> None:
    async with open_book(database_url) as made:
        await made.open(replace(ACCOUNT))
        await made.show(bar(0))
        await made.submit(order("o1"))
        await made.show(bar(1))
        assert (await made.submit(stop())).record.state is OrderState.ACCEPTED
