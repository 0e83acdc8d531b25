"""Closing what a demoted strategy holds at an exchange, which fills in parts, refuses, answers nothing, or is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from brokerage.domain.orders.order import Side
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderState
from brokerage.domain.risk.fence import FenceState
from brokerage.fences.change import set_fence
from brokerage.orders.closing.attempts import PAUSE_NS, Closing
from brokerage.orders.closing.step import Left, Standing, take_step
from qmtl.core.instants import NS_PER_S, to_ns
from qmtl.core.modes import EffectiveMode, ExecutionDomain
from tests.brokerage.samples import ACTOR, fence
from tests.brokerage.venues.reconcile.live import OWNER, Live, living
from tests.brokerage.venues.reconcile.places import BINANCE, PLACES, Place
from tests.exchange.core.faults import Trouble

LONGS = Closing(OWNER.world_id, OWNER.strategy_id, Side.BUY, ExecutionDomain.LIVE, "c1", Decimal(20))
FLAT = Standing()
PAUSE_S = PAUSE_NS / NS_PER_S + 1
every_place = pytest.mark.parametrize(
    "place",
    [pytest.param(one, id=name, marks=[] if one is BINANCE else pytest.mark.soak) for name, one in PLACES.items()],
)


@asynccontextmanager
async def demoted(tmp_path: Path, place: Place) -> AsyncIterator[Live]:
    """Two bitcoins are held (at spot less a fee), which nobody may add to; 0.7 are bid at the mark, 100."""
    async with living(f"sqlite:///{tmp_path / 'store.db'}", place=place) as live:
        live.exchange.quote(place.btc_id, "99", "100", size="5")
        await live.order("entry", quantity="2", price=None)
        await live.settle()
        live.exchange.quote(place.btc_id, "100", "101", size="0.7")
        nobody = fence(2, FenceState.DRAIN, EffectiveMode.LIVE, standings=frozenset())
        await live.db.write(lambda conn: set_fence(conn, nobody, ACTOR, 6))
        yield live
        await live.require_books_of_the_exchange()


async def step(live: Live) -> Standing:
    now_ns = to_ns(live.clock.now())
    return await live.db.write(lambda conn: take_step(conn, live.market, LONGS, OWNER.account, ACTOR, now_ns))


async def left(live: Live) -> Left:
    """What a step leaves, which is something."""
    (found,) = (await step(live)).left
    return found


async def attempts(live: Live) -> list[OrderRecord]:
    """The orders of the closing, in the order in which they were made."""
    found = [record for name, record in (await live.records()).items() if name.startswith("demotion-")]
    return sorted(found, key=lambda record: int(record.order.client_order_id.rpartition("-")[2]))


def restock(live: Live, size: str = "5") -> None:
    live.exchange.quote(live.place.btc_id, "100", "101", size=size)


@every_place
async def test_what_fills_in_part_is_followed_by_an_order_for_the_rest(tmp_path: Path, place: Place) -> None:
    async with demoted(tmp_path, place) as live:
        held = (await left(live)).quantity
        await live.settle()
        first = await left(live)
        assert first.quantity == held - Decimal("0.7")
        restock(live)
        await live.settle()
        assert await step(live) == FLAT
        one, two = await attempts(live)
        assert (one.state, two.state) == (OrderState.EXPIRED, OrderState.FILLED)
        assert two.order.quantity == held - Decimal("0.7")


@every_place
async def test_what_the_exchange_refuses_is_tried_again_after_a_pause(tmp_path: Path, place: Place) -> None:
    async with demoted(tmp_path, place) as live:
        restock(live)
        live.exchange.faults.plan(place.requests[0], Trouble.REFUSED)
        await step(live)
        await live.dispatch()
        refused = await left(live)
        assert (refused.reason.partition(":")[0], len(refused.attempts)) == ("REJECTED", 1)
        live.advance(PAUSE_S)
        assert len((await left(live)).attempts) == 2
        await live.settle()
        assert await step(live) == FLAT
        assert [one.state for one in await attempts(live)] == [OrderState.REJECTED, OrderState.FILLED]


@every_place
@pytest.mark.parametrize("trouble", [Trouble.CUT_AFTER, Trouble.CUT_BEFORE])
async def test_no_second_order_is_sent_before_the_outcome_of_the_first_is_known(
    tmp_path: Path, place: Place, trouble: Trouble
) -> None:
    async with demoted(tmp_path, place) as live:
        restock(live)
        live.exchange.faults.plan(place.requests[0], trouble)
        await step(live)
        await live.dispatch(1)
        for _ in range(2):
            waits = await left(live)
            assert (waits.reason.partition(":")[0], len(waits.attempts)) == ("WORKING", 1)
        live.advance(1)
        await live.dispatch(1)
        assert trouble is Trouble.CUT_AFTER or (await left(live)).reason.endswith("and its venue has not answered")
        await live.settle()
        for _ in range(2):  # one that never arrived is followed by another
            await step(live)
            await live.settle()
        assert await step(live) == FLAT
        done = [one for one in await attempts(live) if one.filled]
        assert [one.state for one in done] == [OrderState.FILLED]


async def test_an_exchange_that_is_away_gets_what_was_held_once_it_is_back(tmp_path: Path) -> None:
    async with demoted(tmp_path, BINANCE) as live:
        restock(live)
        for request in BINANCE.requests:
            live.exchange.faults.plan(request, *[Trouble.BROKEN_BEFORE] * 6)
        await step(live)
        for _ in range(4):
            await live.dispatch()
            assert len((await left(live)).attempts) == 1
        live.exchange.faults.clear()
        await live.settle()
        for _ in range(2):
            await step(live)
            await live.settle()
        assert await step(live) == FLAT
        assert sum(one.filled for one in await attempts(live)) == 199_800_000
