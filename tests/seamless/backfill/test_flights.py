"""Work that one process does at a time, ended from outside."""

from __future__ import annotations

import asyncio

from controlbus.bus import connected
from qmtl.core.clock import SystemClock
from seamless.backfill.flights import Flights
from tests.controlbus.states import unique


async def test_a_flight_that_is_cancelled_again_while_it_ends_leaves_no_lease(nats_url: str) -> None:
    begun, name = asyncio.Event(), unique("seamless/backfill")
    working = 0

    async def slow_to_end() -> None:
        nonlocal working
        working += 1
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.shield(asyncio.sleep(0.05))
            working -= 1

    async def at_once() -> None:
        assert working == 0

    async with connected(nats_url, service="seamless") as bus:
        flights = Flights(bus, SystemClock())
        flying = asyncio.create_task(flights.fly(name, slow_to_end))
        await begun.wait()
        for _ in range(3):
            flying.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(flying, return_exceptions=True)
        assert await flights.fly(name, at_once)
