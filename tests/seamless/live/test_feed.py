"""A live feed on the local exchange: no gap, no duplicate, no bar before its close, corrections flagged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from controlbus.bus import Bus
from qmtl.calendars.spans import Span
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import Unavailable
from qmtl.sql.database import Database
from seamless.backfill.backfiller import Backfiller
from seamless.backfill.flights import Flights
from seamless.config import ExchangeSettings
from seamless.domain.bars import RowFlag
from seamless.domain.sessions.playback import Delivery
from seamless.live.feed import BROKEN_LOOKS, LiveFeed
from seamless.live.feed_clock import FeedClock
from seamless.live.following import UNSERVED_S, Following
from seamless.metrics import SeamlessMetrics
from seamless.presets.exchanges import exchange_presets
from seamless.storage.storage import Storage
from tests.exchange.binance.client import clocked
from tests.exchange.core.faults import Trouble
from tests.exchange.market.client import BTC_MINUTES, MINUTE_MS, Market, bars_of, market
from tests.support.waiting import eventually

MINUTE_NS = 60_000_000_000
START = datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)
NOW_MS = int(START.timestamp()) * 1_000
FIRST_MS = NOW_MS - NOW_MS % MINUTE_MS - 100 * MINUTE_MS
WATERMARK_NS = (NOW_MS - NOW_MS % MINUTE_MS) * 1_000_000
BREAKS = "seamless_live_breaks_total"
PRESET = next(iter(exchange_presets({"binance": ExchangeSettings(exchange="binance")})))


@dataclass
class Rig:
    feed: LiveFeed
    market: Market
    clock: VirtualClock
    storage: Storage
    registry: CollectorRegistry

    def lost(self) -> float | None:
        """Bars that the feed went past without them."""
        return self.registry.get_sample_value("seamless_live_lost_bars_total", {"preset": PRESET.name})

    async def pass_bars(self, count: int = 1) -> None:
        """Let the exchange's time pass over so many closes, then look."""
        self.clock.advance(60.0 * count)
        await self.feed.look()

    def truth(self, after: int = 0) -> list[int]:
        """Opens of all closed bars from one on, counted from the feed's beginning."""
        start_ms = WATERMARK_NS // 1_000_000 + after * MINUTE_MS
        return [one.open_ms * 1_000_000 for one in self.market.tape.truth(start_ms, start_ms + 10_000 * MINUTE_MS)]


@asynccontextmanager
async def rig(bus: Bus, db: Database, folder: Path, skew_ms: int = 0, reach: int | None = None) -> AsyncIterator[Rig]:
    """A feed that has begun, at half a minute past noon; the exchange's clock may be off, and its list short."""
    clock = VirtualClock(START)

    def exchange_clock() -> int:
        return clocked(clock)() + skew_ms

    async with market(exchange_clock, first_ms=FIRST_MS) as there, bars_of(there, clock=clock, reach=reach) as source:
        registry, storage = CollectorRegistry(), Storage(folder, db)
        metrics = SeamlessMetrics(registry)
        backfiller = Backfiller(storage, Flights(bus, clock), clock, metrics, Random(1))
        feed = LiveFeed(PRESET, source, storage, backfiller, metrics, 100 * MINUTE_NS)
        await feed.begin()
        yield Rig(feed, there, clock, storage, registry)


async def heard(feed: LiveFeed, from_ns: int, until_ns: int) -> list[Delivery]:
    """What a subscriber gets up to a watermark."""
    found = []
    async with aclosing(FeedClock([feed]).deliveries(from_ns, asyncio.Event())) as deliveries:
        async for delivery in deliveries:
            found.append(delivery)
            if delivery.watermark_ns >= until_ns:
                return found
    raise AssertionError("the deliveries ended")


def opens(found: list[Delivery]) -> list[int]:
    return [at for delivery in found for at in delivery.bars.time_ns.tolist()]


async def test_a_feed_begins_where_its_history_ends(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with rig(bus, db, tmp_path) as at:
        assert at.feed.watermark_ns == WATERMARK_NS
        assert at.feed.next_close_ns == WATERMARK_NS + MINUTE_NS
        history = await at.storage.read(PRESET.dataset, Span(0, WATERMARK_NS))
        assert len(history) == 100


@pytest.mark.parametrize("skew_ms", [-20_000, 0, 20_000])
async def test_no_bar_before_its_close_by_the_exchanges_clock(
    bus: Bus, db: Database, tmp_path: Path, skew_ms: int
) -> None:
    async with rig(bus, db, tmp_path, skew_ms) as at:
        at.clock.advance(29.999 - skew_ms / 1_000)
        await at.feed.look()
        assert at.feed.watermark_ns == WATERMARK_NS
        at.clock.advance(0.002)
        await at.feed.look()
        assert at.feed.watermark_ns == WATERMARK_NS + MINUTE_NS


async def test_what_was_missed_while_it_was_away_comes_before_what_is_new(
    bus: Bus, db: Database, tmp_path: Path
) -> None:
    async with rig(bus, db, tmp_path) as at:
        at.market.exchange.faults.plan("GET klines", Trouble.BROKEN_BEFORE)
        with pytest.raises(Unavailable):
            await at.pass_bars(7)
        assert at.feed.watermark_ns == WATERMARK_NS
        await at.pass_bars(1)
        end_ns = WATERMARK_NS + 8 * MINUTE_NS
        assert opens(await heard(at.feed, WATERMARK_NS, end_ns)) == at.truth()
        assert (await at.storage.read(PRESET.dataset, Span(WATERMARK_NS, end_ns))).time_ns.tolist() == at.truth()


async def test_every_subscriber_gets_each_bar_once_from_where_it_asks(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with rig(bus, db, tmp_path) as at:
        end_ns = WATERMARK_NS + 3 * MINUTE_NS
        listening = [asyncio.create_task(heard(at.feed, from_ns, end_ns)) for from_ns in (0, WATERMARK_NS)]
        for _ in range(3):
            await at.pass_bars()
        whole, live = [opens(await one) for one in listening]
        assert live == at.truth()
        assert whole[-3:] == at.truth()
        assert len(whole) == 103


async def test_time_goes_on_over_bars_that_never_were(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with rig(bus, db, tmp_path) as at:
        start_ms = WATERMARK_NS // 1_000_000
        at.market.tape.hole(start_ms, start_ms + 5 * MINUTE_MS)
        await at.pass_bars(4)
        assert at.feed.watermark_ns == WATERMARK_NS, "nobody knows yet"
        assert at.feed.next_close_ns == WATERMARK_NS + MINUTE_NS
        await at.pass_bars(1)
        (tick,) = await heard(at.feed, WATERMARK_NS, WATERMARK_NS + 5 * MINUTE_NS)
        assert (len(tick.bars), tick.watermark_ns) == (0, WATERMARK_NS + 5 * MINUTE_NS)
        known = await at.storage.coverage(PRESET.dataset)
        assert known.empty == (Span(WATERMARK_NS, WATERMARK_NS + 5 * MINUTE_NS),)


async def test_a_corrected_bar_is_stored_flagged_and_not_told_twice(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with rig(bus, db, tmp_path) as at:
        await at.pass_bars(2)
        changed_ms = WATERMARK_NS // 1_000_000
        at.market.tape.correct(changed_ms)
        await at.pass_bars(1)
        found = await heard(at.feed, WATERMARK_NS + 2 * MINUTE_NS, WATERMARK_NS + 3 * MINUTE_NS)
        assert opens(found) == [WATERMARK_NS + 2 * MINUTE_NS]
        stored = await at.storage.read(PRESET.dataset, Span(WATERMARK_NS, WATERMARK_NS + 3 * MINUTE_NS))
        assert stored.flags.tolist() == [RowFlag.REVISED, 0, 0]
        assert stored.close.tolist()[0] == float(at.market.tape.candle(changed_ms).close)
        again = await heard(at.feed, WATERMARK_NS, WATERMARK_NS + 3 * MINUTE_NS)
        assert again[0].bars.close.tolist() == stored.close.tolist()
        assert again[0].bars.flags.tolist() == stored.flags.tolist()


async def test_an_empty_field_holds_the_bar_back_and_all_after_it(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with rig(bus, db, tmp_path) as at:
        at.market.tape.nulls += [WATERMARK_NS // 1_000_000 + MINUTE_MS] * 2
        await at.pass_bars(3)
        assert at.feed.watermark_ns == WATERMARK_NS + MINUTE_NS
        await at.feed.look()
        assert at.feed.watermark_ns == WATERMARK_NS + 3 * MINUTE_NS


async def test_time_goes_on_without_a_bar_that_never_has_all_of_its_fields_and_that_is_told(
    bus: Bus, db: Database, tmp_path: Path
) -> None:
    async with rig(bus, db, tmp_path) as at:
        blank_ms = WATERMARK_NS // 1_000_000 + MINUTE_MS
        at.market.tape.blank.add(blank_ms)
        await at.pass_bars(3)
        for _ in range(BROKEN_LOOKS - 2):
            await at.feed.look()
            assert at.feed.watermark_ns == WATERMARK_NS + MINUTE_NS
        await at.feed.look()
        assert at.feed.watermark_ns == WATERMARK_NS + 3 * MINUTE_NS
        known = await at.storage.coverage(PRESET.dataset)
        blank_ns = blank_ms * 1_000_000
        assert (known.outage, known.empty) == ((Span(blank_ns, blank_ns + MINUTE_NS),), ())
        assert at.lost() == 1

        at.market.tape.blank.clear()
        await at.pass_bars(1)
        stored = await at.storage.read(PRESET.dataset, Span(WATERMARK_NS, at.feed.watermark_ns))
        assert stored.time_ns.tolist() == at.truth(), "it came late, and is kept"
        assert (await at.storage.coverage(PRESET.dataset)).outage == ()
        again = await heard(at.feed, WATERMARK_NS, at.feed.watermark_ns)
        assert opens(again) == at.truth()


async def test_a_bar_without_all_of_its_fields_is_given_up_by_its_own_looks(
    bus: Bus, db: Database, tmp_path: Path
) -> None:
    async with rig(bus, db, tmp_path) as at:
        first_ms = WATERMARK_NS // 1_000_000
        at.market.tape.blank |= {first_ms, first_ms + MINUTE_MS}
        await at.pass_bars(1)
        for _ in range(BROKEN_LOOKS - 2):
            await at.feed.look()
        await at.pass_bars(1)
        assert at.feed.watermark_ns == WATERMARK_NS + MINUTE_NS, "the second has had one look"
        assert at.lost() == 1


async def test_a_clock_that_jumps_ahead_opens_no_bar(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with rig(bus, db, tmp_path) as at:
        at.market.exchange.clock = lambda: at.market.tape.clock() + 3_600_000
        for _ in range(4):
            at.clock.advance(7.0)
            await at.feed.look()
        assert at.feed.watermark_ns == WATERMARK_NS
        at.clock.advance(2.0)
        await at.feed.look()
        assert at.feed.watermark_ns == WATERMARK_NS + MINUTE_NS
        stored = await at.storage.read(PRESET.dataset, Span(WATERMARK_NS, at.feed.watermark_ns))
        assert stored.close.tolist() == [float(at.market.tape.candle(WATERMARK_NS // 1_000_000).close)]


async def test_a_session_that_ends_is_told_its_end(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with rig(bus, db, tmp_path) as at:
        ended = asyncio.Event()
        deliveries = FeedClock([at.feed]).deliveries(WATERMARK_NS - MINUTE_NS, ended)
        assert not (await anext(deliveries)).last
        ended.set()
        assert (await anext(deliveries)).last
        with pytest.raises(StopAsyncIteration):
            await anext(deliveries)


async def test_subscribers_are_sent_away_when_the_server_stops(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with rig(bus, db, tmp_path) as at:
        waiting = asyncio.create_task(heard(at.feed, WATERMARK_NS, WATERMARK_NS + MINUTE_NS))
        await asyncio.sleep(0)
        at.feed.close()
        with pytest.raises(Unavailable, match="E_STOPPING"):
            await waiting


async def test_an_exchange_that_stops_holds_time_and_lets_it_go_on_when_it_comes_back(
    bus: Bus, db: Database, tmp_path: Path
) -> None:
    async with rig(bus, db, tmp_path) as at:
        await at.pass_bars(2)
        at.market.tape.halt()
        held_ns = WATERMARK_NS + 3 * MINUTE_NS  # the bar that was being built is its last
        for _ in range(4):
            await at.pass_bars()
            assert at.feed.watermark_ns == held_ns
        at.market.tape.resume()
        await at.pass_bars()
        assert at.feed.watermark_ns == WATERMARK_NS + 7 * MINUTE_NS
        assert opens(await heard(at.feed, held_ns, at.feed.watermark_ns)) == at.truth(3)


async def test_a_feed_of_a_short_list_begins_and_goes_on_past_what_it_lost(
    bus: Bus, db: Database, tmp_path: Path
) -> None:
    async with rig(bus, db, tmp_path, reach=20) as at:
        assert at.feed.watermark_ns == WATERMARK_NS
        assert len(await at.storage.read(PRESET.dataset, Span(0, WATERMARK_NS))) == 17
        await at.pass_bars(50)
        end_ns = WATERMARK_NS + 50 * MINUTE_NS
        assert at.feed.watermark_ns == end_ns
        assert opens(await heard(at.feed, WATERMARK_NS, end_ns)) == at.truth(33)
        known = await at.storage.coverage(PRESET.dataset)
        assert known.outage == (Span(WATERMARK_NS, WATERMARK_NS + 33 * MINUTE_NS),)
        assert known.empty == ()


async def test_a_symbol_that_is_not_listed_is_looked_for_once_a_minute(bus: Bus, db: Database, tmp_path: Path) -> None:
    clock = VirtualClock(START)
    unlisted = replace(BTC_MINUTES, symbol="NO/USDT")
    async with (
        market(clocked(clock), first_ms=FIRST_MS) as there,
        bars_of(there, clock=clock, dataset=unlisted) as source,
    ):
        registry, storage = CollectorRegistry(), Storage(tmp_path, db)
        metrics = SeamlessMetrics(registry)
        backfiller = Backfiller(storage, Flights(bus, clock), clock, metrics, Random(1))
        preset = replace(PRESET, dataset=unlisted)
        feed = LiveFeed(preset, source, storage, backfiller, metrics, 100 * MINUTE_NS)
        running = asyncio.create_task(Following(feed, source, clock, metrics).run())
        await eventually(lambda: running.done() or registry.get_sample_value(BREAKS, {"preset": preset.name}) == 1)
        asked = len(there.told.asked)
        clock.advance(UNSERVED_S - 1)
        await asyncio.sleep(0)
        assert (clock.sleepers, running.done(), len(there.told.asked)) == (1, False, asked)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
