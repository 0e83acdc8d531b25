"""An account is driven: compared first, then orders flow, fills come by stream or by poll, a break is taken up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from brokerage.domain.orders.states import OrderState
from brokerage.venues.driver import LinkState, VenueDriver
from brokerage.venues.lease import VenueLease
from qmtl.core.clock import SystemClock
from qmtl.core.tasks.ending import end
from tests.brokerage.venues.reconcile.live import OWNER, Live, living
from tests.exchange.core.faults import Delivery, Trouble
from tests.support.waiting import eventually


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with living(f"sqlite:///{tmp_path / 'store.db'}", SystemClock()) as found:
        yield found


@asynccontextmanager
async def driven(live: Live, poll_s: float = 30.0) -> AsyncIterator[VenueDriver]:
    """A driver that runs until the block ends."""
    live.leased = True
    live.restart()
    driver = VenueDriver(live.venue, live.reconciler, live.dispatcher, live.lease, live.clock, poll_s=poll_s)
    running = asyncio.create_task(driver.run())
    try:
        await eventually(lambda: driver.status.state is LinkState.CONNECTED)
        yield driver
    finally:
        await end(running)
        await live.lease.release()


def is_in(live: Live, name: str, state: OrderState) -> Callable[[], Awaitable[bool]]:
    async def read() -> bool:
        return (await live.records())[name].state is state

    return read


async def test_a_driver_that_stops_lets_the_next_begin_at_once(live: Live) -> None:
    live.leased = True
    live.restart()
    driver = VenueDriver(live.venue, live.reconciler, live.dispatcher, live.lease, live.clock, poll_s=30.0)
    running = asyncio.create_task(driver.run())
    await eventually(lambda: driver.status.state is LinkState.CONNECTED)
    following = VenueLease(live.db, OWNER.account, live.place.traits, live.clock)
    assert not await following.acquire()
    await end(running)
    assert await following.acquire()


async def test_a_driver_that_stops_with_an_act_on_its_way_keeps_its_lease(live: Live) -> None:
    live.leased = True
    live.restart()
    driver = VenueDriver(live.venue, live.reconciler, live.dispatcher, live.lease, live.clock, poll_s=30.0)
    running = asyncio.create_task(driver.run())
    await eventually(lambda: driver.status.state is LinkState.CONNECTED)
    live.exchange.faults.plan("POST order", Trouble.SILENT_AFTER)
    taken = asyncio.Event()
    live.exchange.faults.witness = lambda *seen: taken.set() if seen == ("POST order", True) else None
    await live.order("o1")
    await taken.wait()
    await end(running)
    assert not await VenueLease(live.db, OWNER.account, live.place.traits, live.clock).acquire()


async def test_an_order_goes_and_its_fill_comes_by_the_stream(live: Live) -> None:
    async with driven(live):
        await live.exchange.streams.until_open("client")
        await live.order("o1")
        await eventually(is_in(live, "o1", OrderState.ACCEPTED))
        live.exchange.quote("BTCUSDT", "96", "97")
        await eventually(is_in(live, "o1", OrderState.FILLED))
    await live.require_books_of_the_exchange()


async def test_a_fill_that_the_stream_has_lost_is_found_by_the_poll(live: Live) -> None:
    async with driven(live, poll_s=0.2):
        await live.order("o1")
        await eventually(is_in(live, "o1", OrderState.ACCEPTED))
        live.exchange.faults.plan_events("client", *[Delivery.NEVER] * 50)
        live.exchange.quote("BTCUSDT", "96", "97")
        await eventually(is_in(live, "o1", OrderState.FILLED))


async def test_a_break_is_told_and_taken_up_with_a_comparison(live: Live) -> None:
    async with driven(live) as driver:
        await live.exchange.streams.until_open("client")
        live.exchange.faults.plan("GET myTrades", Trouble.BROKEN_BEFORE)
        live.exchange.streams.cut("client")
        await eventually(lambda: driver.status.state is LinkState.BROKEN)
        live.exchange.quote("BTCUSDT", "96", "97")
        await eventually(lambda: driver.status.state is LinkState.CONNECTED)
