"""A cancel that the venue refuses or does not answer goes again at a growing distance, while it is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from brokerage.domain.orders.order import Contingency, Order, Side
from brokerage.domain.orders.states import EventKind, OrderState, OrderType
from brokerage.domain.risk.fence import FenceState
from brokerage.fences import change
from brokerage.orders import store as orders_store
from brokerage.orders.entry.submit_list import submit_list
from brokerage.venues.dispatch.cancel_pacing import FORGOTTEN_S, CancelPacing
from qmtl.core.instants import to_ns
from qmtl.core.modes import EffectiveMode
from tests.brokerage.samples import ACTOR, fence
from tests.brokerage.venues.reconcile.live import LIVE_GATE, OWNER, Live, living
from tests.exchange.core.faults import Trouble

NEVER = [Trouble.REFUSED] * 100


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with living(f"sqlite:///{tmp_path / 'store.db'}") as found:
        yield found


class Turns:
    """The sender's turns, each some seconds after the one before."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._fences = asyncio.Event()

    async def take(self, times: int, step_s: float) -> None:
        for _ in range(times):
            await self._live.dispatcher.turn(self._fences)
            self._live.advance(step_s)

    def restart(self) -> None:
        self._live.restart()


async def asked(live: Live, name: str) -> list[float]:
    """When the cancel of an order was asked for, in seconds from the first time."""
    read = await live.db.read(lambda conn: orders_store.load_orders(conn, live.market.instruments))
    [events] = [one.events for one in read if one.order.client_order_id == name]
    times = [event.received_ns for event in events if event.kind is EventKind.PENDING_CANCEL]
    return [(one - times[0]) / 10**9 for one in times]


async def set_fence(live: Live, epoch: int, state: FenceState) -> None:
    wanted = fence(epoch, state, EffectiveMode.LIVE)
    await live.db.write(lambda conn: change.set_fence(conn, wanted, ACTOR, epoch))


async def rivals(live: Live) -> None:
    """Have two orders taken of which one fill ends the other."""

    def one(name: str, rival: str, price: int) -> Order:
        limit, venue = Decimal(price), live.place.name
        asked = Order(OWNER, name, live.place.btc, Side.BUY, Decimal("0.1"), OrderType.LIMIT, limit_price=limit)
        return replace(asked, venue=venue, list_id="l", contingency=Contingency.OCO, linked=(rival,))

    taken: Sequence[Order] = [one("a", "b", 98), one("b", "a", 97)]
    now_ns = to_ns(live.clock.now())
    await live.db.write(lambda conn: submit_list(conn, live.market, taken, LIVE_GATE, now_ns))


async def test_a_withdrawal_is_asked_for_at_a_growing_distance_and_at_once_after_a_restart(live: Live) -> None:
    turns = Turns(live)
    await live.order("o1")
    await turns.take(2, 0.25)
    live.exchange.faults.plan("DELETE order", *NEVER)
    await set_fence(live, 2, FenceState.FROZEN)
    await turns.take(160, 0.25)
    assert await asked(live, "o1") == [0.0, 1.0, 3.0, 8.0, 18.0, 28.0, 38.0]
    turns.restart()
    await turns.take(2, 0.25)
    assert len(await asked(live, "o1")) == 8
    live.exchange.faults.clear()
    await turns.take(8, 0.25)
    assert (await live.records())["o1"].state is OrderState.CANCELED


async def test_a_cancel_without_an_answer_is_asked_about_and_goes_again_at_the_same_distance(live: Live) -> None:
    turns, sent = Turns(live), list[float]()
    await live.order("o1")
    await turns.take(2, 0.25)
    began = live.clock.monotonic()

    def witness(kind: str, after: bool) -> None:
        if kind == "DELETE order" and not after:
            sent.append(live.clock.monotonic() - began)

    live.exchange.faults.witness = witness
    live.exchange.faults.plan("DELETE order", *[Trouble.BROKEN_BEFORE] * 6)  # 503: nobody knows
    await live.cancel("o1")
    await turns.take(160, 0.25)
    apart = [after - before for before, after in pairwise(sent)]
    assert all(wait <= one < wait + 0.75 for one, wait in zip(apart, [1.0, 2.0, 5.0, 10.0, 10.0, 10.0], strict=True))
    assert (await live.records())["o1"].state is OrderState.CANCELED


async def test_what_is_not_wanted_any_more_is_not_asked_for(live: Live) -> None:
    turns = Turns(live)
    await live.order("o1")
    await turns.take(2, 0.25)
    live.exchange.faults.plan("DELETE order", Trouble.REFUSED)
    await set_fence(live, 2, FenceState.FROZEN)
    await turns.take(2, 0.25)
    await set_fence(live, 3, FenceState.OPEN)
    await turns.take(20, 0.25)
    assert await asked(live, "o1") == [0.0]
    assert (await live.records())["o1"].state is OrderState.ACCEPTED


async def test_a_clients_cancel_does_not_wait(live: Live) -> None:
    turns = Turns(live)
    await live.order("o1")
    await turns.take(2, 0.25)
    live.exchange.faults.plan("DELETE order", Trouble.REFUSED)
    for _ in range(2):
        await live.cancel("o1")
        await turns.take(2, 0.25)
    assert await asked(live, "o1") == [0.0, 0.5]
    assert (await live.records())["o1"].state is OrderState.CANCELED


async def test_a_list_asks_at_a_growing_distance_and_at_once_after_a_restart(live: Live) -> None:
    turns = Turns(live)
    await rivals(live)
    await turns.take(3, 0.25)
    live.exchange.faults.plan("DELETE order", *NEVER)
    live.exchange.quote("BTCUSDT", "97.4", "97.5")
    await live.reconciler.reconcile()
    assert (await live.records())["a"].state is OrderState.FILLED
    await turns.take(80, 0.25)
    assert await asked(live, "b") == [0.0, 1.0, 3.0, 8.0, 18.0]
    turns.restart()
    live.exchange.faults.clear()
    await turns.take(3, 0.25)
    assert (await live.records())["b"].state is OrderState.CANCELED


def test_one_that_was_long_not_refused_is_as_new() -> None:
    cancels = CancelPacing()
    cancels.failed("o1", 0.0)
    assert not cancels.may_ask("o1")
    assert cancels.may_ask("o2")
    assert not cancels.end_waits(0.9)
    assert cancels.end_waits(1.0)
    assert cancels.may_ask("o1")
    assert not cancels.end_waits(1.0)
    cancels.failed("o1", 1.0)
    assert not cancels.end_waits(2.9)
    assert cancels.end_waits(3.0)
    assert not cancels.end_waits(3.0 + FORGOTTEN_S)
    cancels.failed("o1", 70.0)
    assert cancels.end_waits(71.0)
