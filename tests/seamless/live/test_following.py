"""A feed that its exchange tells by websocket: what comes next is taken as it comes, all else is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controlbus.bus import Bus
from qmtl.calendars.spans import Span
from qmtl.core.clock import VirtualClock
from qmtl.sql.database import Database
from seamless.live.feed import CHECK_BARS
from seamless.live.following import GRACE_S, LADDER_S
from tests.exchange.binance.client import clocked
from tests.exchange.core.faults import Delivery, Trouble
from tests.exchange.market.client import MINUTE_MS, market
from tests.exchange.market.klines import stream_name
from tests.seamless.live.feeding import Followed, followed
from tests.support.waiting import eventually

MINUTE_NS = 60_000_000_000
START = datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)
NOW_MS = int(START.timestamp()) * 1_000
FIRST_MS = NOW_MS - NOW_MS % MINUTE_MS - 100 * MINUTE_MS
EXCHANGES = ("binance", "binanceusdm", "kraken")


@dataclass
class Told:
    """A feed that listens, at half a minute past noon, on a clock that the test moves."""

    at: Followed
    clock: VirtualClock

    @property
    def asked(self) -> int:
        return len(self.at.market.told.asked)

    @property
    def name(self) -> str:
        return stream_name(self.at.market.tape.symbol, MINUTE_MS)

    async def close_bar(self, *deliveries: Delivery, first_s: float = 30.0) -> None:
        """Let a bar close and be told, and the next one begin."""
        self.clock.advance(first_s)
        self.at.market.exchange.faults.plan_events(self.name, *deliveries)
        self.at.market.told.klines.tick()
        self.clock.advance(0.5)
        self.at.market.told.klines.tick()

    async def until(self, bars: int) -> None:
        """Wait until the feed has come so far."""
        await eventually(lambda: self.at.feed.watermark_ns >= self.at.start_ns + bars * MINUTE_NS)
        await eventually(lambda: len(self.at.opens) == len(self.at.truth(self.at.feed.watermark_ns)))

    async def slept(self, seconds: float) -> None:
        """Let so much time pass, once everything sleeps."""
        await eventually(lambda: self.clock.sleepers > 0)
        self.clock.advance(seconds)


@asynccontextmanager
async def told(bus: Bus, db: Database, folder: Path, exchange_id: str = "binance") -> AsyncIterator[Told]:
    clock = VirtualClock(START)
    served = market(clocked(clock), exchange_id=exchange_id, first_ms=FIRST_MS)
    async with served as there, followed(there, bus, db, folder, clock, stream=True) as at:
        await there.told.klines.until_open(there.tape.symbol, MINUTE_MS)
        await eventually(lambda: at.count("live_streams") == 1)
        yield Told(at, clock)


@pytest.mark.parametrize("exchange_id", EXCHANGES)
async def test_bars_come_by_websocket(exchange_id: str, bus: Bus, db: Database, tmp_path: Path) -> None:
    async with told(bus, db, tmp_path, exchange_id) as it:
        asked = it.asked
        for bar in range(3):
            await it.close_bar(first_s=30.0 if bar == 0 else 59.5)
            await it.until(bar + 1)
        assert it.at.opens == it.at.truth(it.at.feed.watermark_ns)
        listed = it.at.market.tape.truth(it.at.start_ns // 1_000_000, it.at.feed.watermark_ns // 1_000_000)
        assert (await it.at.stored(it.at.feed.watermark_ns)).close.tolist() == [float(one.close) for one in listed]
        says_closes = exchange_id != "kraken"  # whose websocket only says when to ask
        assert (it.asked == asked) == says_closes


async def test_krakens_older_history_is_made_of_trades_while_the_feed_goes_on(
    bus: Bus, db: Database, tmp_path: Path
) -> None:
    clock = VirtualClock(START)
    first_ms = FIRST_MS - 800 * MINUTE_MS
    served = market(clocked(clock), exchange_id="kraken", first_ms=first_ms)
    async with served as there, followed(there, bus, db, tmp_path, clock, stream=False, history_bars=900) as at:
        history = Span(first_ms * 1_000_000, at.start_ns)

        async def is_whole() -> bool:
            known = await at.storage.coverage(at.feed.preset.dataset)
            return known.have == (history,)

        await eventually(is_whole)
        stored = await at.storage.read(at.feed.preset.dataset, history)
        truth = there.tape.truth(first_ms, at.start_ns // 1_000_000)
        assert stored.volume.tolist() == [float(one.volume) for one in truth]
        assert len(stored) == 900


async def test_a_bar_that_was_not_told_is_asked_for_after_a_while(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with told(bus, db, tmp_path) as it:
        it.at.market.told.klines.silent = True
        asked = it.asked
        await it.slept(30.0 + GRACE_S - 0.1)
        await asyncio.sleep(0)
        assert (it.asked, it.at.feed.watermark_ns) == (asked, it.at.start_ns)
        it.clock.advance(0.2)
        await it.until(1)
        assert it.asked > asked


@pytest.mark.parametrize("delivery", [Delivery.NEVER, Delivery.LATE, Delivery.TWICE])
async def test_a_close_that_is_dropped_late_or_repeated(
    delivery: Delivery, bus: Bus, db: Database, tmp_path: Path
) -> None:
    async with told(bus, db, tmp_path) as it:
        await it.close_bar(delivery)
        await it.until(1)
        await it.close_bar(first_s=59.5)
        await it.until(2)
        assert it.at.opens == it.at.truth(it.at.feed.watermark_ns)


async def test_a_bar_that_is_said_to_have_closed_before_it_has_is_not_taken(
    bus: Bus, db: Database, tmp_path: Path
) -> None:
    async with told(bus, db, tmp_path) as it:
        klines, tape = it.at.market.told.klines, it.at.market.tape
        klines.tell(replace(klines.kline(tape, it.at.start_ns // 1_000_000), closed=True))
        await it.close_bar()
        await it.until(1)
        stored = await it.at.stored(it.at.feed.watermark_ns)
        assert stored.close.tolist() == [float(tape.candle(it.at.start_ns // 1_000_000).close)]
        assert stored.flags.tolist() == [0]


async def test_what_was_told_is_compared_with_what_is_listed(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with told(bus, db, tmp_path) as it:
        asked = it.asked
        await it.close_bar()
        await it.until(1)
        it.at.market.tape.correct(it.at.start_ns // 1_000_000)
        for bar in range(1, CHECK_BARS):
            await it.close_bar(first_s=59.5)
            await it.until(bar + 1)
        await eventually(lambda: it.asked > asked)
        assert it.asked == asked + 1
        await eventually(lambda: it.at.count("live_corrections") == 1)


async def test_a_bar_that_is_told_again_and_differently_is_asked_about(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with told(bus, db, tmp_path) as it:
        await it.close_bar()
        await it.until(1)
        klines, tape, first_ms = it.at.market.told.klines, it.at.market.tape, it.at.start_ns // 1_000_000
        klines.tell(klines.kline(tape, first_ms))
        tape.correct(first_ms)
        klines.tell(klines.kline(tape, first_ms))
        asked = it.asked
        await it.close_bar(first_s=59.5)
        await it.until(2)
        await eventually(lambda: it.at.count("live_corrections") == 1)
        assert it.asked == asked + 1
        stored = await it.at.stored(it.at.feed.watermark_ns)
        assert stored.close.tolist()[0] == float(tape.candle(first_ms).close)
        assert it.at.opens == it.at.truth(it.at.feed.watermark_ns), "it is not told twice"


async def test_after_a_cut_the_ladder_is_climbed_and_the_gap_is_filled(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with told(bus, db, tmp_path) as it:
        klines = it.at.market.told.klines
        it.at.market.exchange.faults.plan("GET 0", *[Trouble.BROKEN_BEFORE] * 4)
        klines.cut()
        for failures, pause_s in enumerate(LADDER_S, 1):
            await eventually(lambda failures=failures: it.at.count("live_breaks") == failures)  # type: ignore[misc]
            connections = klines.connections
            await it.slept(pause_s - 0.01)
            await asyncio.sleep(0)
            assert klines.connections == connections
            it.clock.advance(0.02)
        await eventually(lambda: it.at.count("live_breaks") == len(LADDER_S) + 1)
        await it.slept(LADDER_S[-1] + 180.0)
        await it.until(3)
        assert it.at.opens == it.at.truth(it.at.feed.watermark_ns)
        await eventually(lambda: klines.connected == 1)
        assert (klines.connections, klines.most_connected) == (2, 1)


async def test_a_websocket_that_says_nothing_while_bars_close_is_left(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with told(bus, db, tmp_path) as it:
        klines = it.at.market.told.klines
        klines.silent = True
        for bar, wait_s in enumerate((30.0 + GRACE_S, 60.0 - GRACE_S + 0.1), 1):  # after one bar it is not waited for
            assert klines.connections == 1
            await it.slept(wait_s)
            await it.until(bar)
        await eventually(lambda: it.at.count("live_breaks") == 1)
        klines.silent = False
        await it.slept(LADDER_S[0])
        await eventually(lambda: klines.connections == 2)
        assert klines.most_connected == 1


@pytest.mark.parametrize("unanswered", [0, 2])
async def test_while_no_connection_is_to_be_had_no_bar_is_late(
    bus: Bus, db: Database, tmp_path: Path, unanswered: int
) -> None:
    async with told(bus, db, tmp_path) as it:
        it.at.market.exchange.faults.plan("GET 0", *[Trouble.BROKEN_BEFORE] * 40)
        it.at.market.told.klines.cut()
        await eventually(lambda: it.at.count("live_breaks") == 1)
        for failures, pause_s in enumerate((*LADDER_S, 5.0, 5.0, 5.0, 5.0), 2):  # 28.5 s: the next is tried at 33.5 s
            await it.slept(pause_s + 0.001)
            await eventually(lambda failures=failures: it.at.count("live_breaks") == failures)  # type: ignore[misc]
        it.at.market.exchange.faults.plan("GET klines", *[Trouble.BROKEN_BEFORE] * unanswered)
        await it.slept(1.6)
        for pause_s in LADDER_S[:unanswered]:  # it asks again before the next connection is tried
            await it.slept(pause_s + 0.001)
        await it.until(1)
        assert it.at.count("live_breaks") == len(LADDER_S) + 5


async def test_while_a_connection_hangs_bars_are_asked_for(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with told(bus, db, tmp_path) as it:
        klines = it.at.market.told.klines
        klines.answering.clear()
        try:
            klines.cut()
            await eventually(lambda: it.at.count("live_breaks") == 1)
            await it.slept(LADDER_S[0])
            it.at.market.exchange.faults.plan("GET klines", Trouble.BROKEN_BEFORE)
            for bar in (1, 2):
                await it.slept(60.0)
                await eventually(lambda: it.at.count("live_breaks") == 2)
                await it.slept(5.0)
                await it.until(bar)
            assert (klines.connections, klines.connected) == (1, 0)
        finally:
            klines.answering.set()
        await eventually(lambda: klines.connected == 1)
        assert (klines.connections, klines.most_connected) == (2, 1)
        assert it.at.opens == it.at.truth(it.at.feed.watermark_ns)
