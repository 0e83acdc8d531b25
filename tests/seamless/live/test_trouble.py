"""A live feed through seeded trouble, by asking and by websocket: no gap, no duplicate, no bar before its close.

Bars last a second on a clock that runs many times as fast. What goes wrong is drawn anew for each seed: events
dropped, repeated and out of order, connections cut and refused, silence without a close, answers that fail, leave bars
out or have empty fields, bars corrected after their close, told again, or said to have closed before they have.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from controlbus.bus import Bus
from qmtl.core.tasks.ending import end
from qmtl.sql.database import Database
from seamless.live.feed import CHECK_BARS
from tests.exchange.binance.client import clocked
from tests.exchange.core.faults import Delivery, Trouble
from tests.exchange.market.client import Market, market
from tests.exchange.market.klines import stream_name
from tests.seamless.live.fast_clock import FastClock
from tests.seamless.live.feeding import Followed, followed
from tests.support.waiting import eventually

START = datetime(2026, 1, 5, 12, 0, 0, 300_000, tzinfo=UTC)
NOW_MS = int(START.timestamp()) * 1_000
STEP_MS, STEP_NS = 1_000, 1_000_000_000
SPEED = 20.0
TICK_S = 0.25
DELIVERIES = [Delivery.ONCE] * 3 + [Delivery.NEVER, Delivery.TWICE, Delivery.LATE]
REST = [Trouble.BROKEN_BEFORE, Trouble.CUT_BEFORE, Trouble.BROKEN_AFTER]


def go_wrong(there: Market, random: Random) -> None:
    """Let one thing go wrong."""
    tape, klines, faults = there.tape, there.told.klines, there.exchange.faults
    now_ms = tape.clock()
    open_ms = now_ms - now_ms % STEP_MS
    match random.randrange(11):
        case 0 | 1:
            faults.plan_events(stream_name(tape.symbol, STEP_MS), *random.choices(DELIVERIES, k=random.randrange(12)))
        case 2:
            klines.cut()
            faults.plan("GET 0", *random.choices([Trouble.CUT_BEFORE, Trouble.BROKEN_BEFORE], k=random.randrange(3)))
        case 3:
            klines.silent = random.random() < 0.5
        case 4:
            faults.plan("GET klines", *random.choices(REST, k=random.randrange(4)))
        case 5:
            faults.plan("GET time", *random.choices(REST, k=random.randrange(2)))
        case 6:
            tape.correct(open_ms - STEP_MS)
        case 7:
            tape.withheld.append((open_ms - 3 * STEP_MS, open_ms - random.randrange(3) * STEP_MS))
        case 8:
            tape.nulls.append(open_ms)
        case 9:
            again = klines.kline(tape, open_ms - random.randrange(1, 6) * STEP_MS)
            klines.tell(again)
        case 10:
            early = klines.kline(tape, open_ms)
            klines.tell(type(early)(early.symbol, early.interval_ms, early.row, True, early.time_ms))


async def trouble(there: Market, clock: FastClock, random: Random, until_ms: int) -> None:
    """Tell bars as time goes on, and let things go wrong between, until a time; then all is well."""
    while there.tape.clock() < until_ms:
        there.told.klines.tick()
        if random.random() < 0.3:
            go_wrong(there, random)
        await clock.sleep(TICK_S)
    there.exchange.faults.clear()
    there.told.klines.silent = False
    while True:
        there.told.klines.tick()
        await clock.sleep(TICK_S)


async def through_trouble(
    seed: int, stream: bool, bars: int, bus: Bus, db: Database, folder: Path
) -> tuple[Followed, int]:
    """Follow an exchange through a script of trouble, and check what came; the feed, and until when it was checked."""
    random, clock = Random(seed), FastClock(START, SPEED)
    skew_ms = random.choice([-3_000, 0, 3_000])

    def exchange_clock() -> int:
        return clocked(clock)() + skew_ms

    served = market(exchange_clock, first_ms=NOW_MS - 100 * STEP_MS, interval_ms=STEP_MS)
    async with served as there, followed(there, bus, db, folder, clock, stream=stream) as found:
        end_ns = found.start_ns + bars * STEP_NS
        hole_ms = there.tape.clock() + random.randrange(5, bars) * STEP_MS
        there.tape.hole(hole_ms, hole_ms + random.randrange(4) * STEP_MS)
        running = asyncio.create_task(trouble(there, clock, random, end_ns // 1_000_000))
        checked_ns = end_ns + (CHECK_BARS + 5) * STEP_NS
        try:
            await eventually(lambda: found.feed.watermark_ns >= checked_ns or running.done(), 60.0)
        finally:
            await end(running)
        assert [at for at in found.opens if at < end_ns] == found.truth(end_ns)
        assert all(came * 1_000_000 >= at + STEP_NS for at, came in zip(found.opens, found.came_ms, strict=True)), (
            "a bar came before its close"
        )
        stored = await found.stored(end_ns)
        assert stored.time_ns.tolist() == found.truth(end_ns)
        listed = there.tape.truth(found.start_ns // 1_000_000, end_ns // 1_000_000)
        assert stored.close.tolist() == [float(one.close) for one in listed]
        assert there.told.klines.most_connected <= 1
        return found, end_ns


@pytest.mark.parametrize(("seed", "stream"), [(1, True), (2, True), (1, False)])
async def test_every_bar_comes_once_in_order_and_whole(
    seed: int, stream: bool, bus: Bus, db: Database, tmp_path: Path
) -> None:
    found, _ = await through_trouble(seed, stream, 40, bus, db, tmp_path)
    assert (found.count("live_streams") > 0) == stream


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 120))
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "poll"])
async def test_every_bar_comes_once_through_long_trouble(
    seed: int, stream: bool, bus: Bus, db: Database, tmp_path: Path
) -> None:
    await through_trouble(seed, stream, 200, bus, db, tmp_path)
