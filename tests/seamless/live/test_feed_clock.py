"""Live feeds of several symbols and intervals on one clock, one that lags, sessions on them and their recordings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from controlbus.bus import Bus
from qmtl.config.settings import MeshSettings
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import InvalidRequest, NotFound, NotReady
from qmtl.sql.database import Database
from seamless.artifacts.archive import Archive
from seamless.artifacts.inventory import Inventory
from seamless.backfill.backfiller import Backfiller
from seamless.backfill.flights import Flights
from seamless.config import ExchangeFeed, ExchangeSettings, Settings, UniverseSettings
from seamless.domain.sessions.playback import Delivery
from seamless.domain.sessions.requests import LENGTH_DEFAULT, SessionRequest
from seamless.live.feed import LiveFeed
from seamless.live.feed_clock import FeedClock
from seamless.live.reports import MemberLags
from seamless.live.sessions import LiveSessions
from seamless.live.store import LiveSession
from seamless.metrics import SeamlessMetrics
from seamless.presets.builtin import presets_of
from seamless.presets.preset import Presets
from seamless.recordings.recorder import Recorder
from seamless.replay.sessions import ReplaySessions
from seamless.storage.storage import Storage
from tests.exchange.binance.client import ETH, clocked
from tests.exchange.market.client import MINUTE_MS, Market, bars_of, market

MINUTE_NS = 60_000_000_000
START = datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)
FIRST_MS = int(datetime(2026, 1, 5, 10, tzinfo=UTC).timestamp()) * 1_000
NOON_NS = int(datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()) * 10**9
BTC, MINUTES, QUARTERS = "ohlcv.binance.btc", "ohlcv.binance.eth", "ohlcv.binance.eth-15m"
NAME = "live.both"


def at(minutes: float) -> int:
    """So many minutes after noon."""
    return NOON_NS + int(minutes * MINUTE_NS)


@dataclass
class Rig:
    """Feeds of two symbols, one of them at two intervals, that have begun half a minute past noon."""

    presets: Presets
    feeds: dict[str, LiveFeed]
    live: LiveSessions
    inventory: Inventory
    db: Database
    market: Market
    clock: VirtualClock

    @property
    def feed_clock(self) -> FeedClock:
        return FeedClock([self.feeds[one.name] for one in self.presets.universe(NAME).members])

    async def pass_minutes(self, minutes: int, *names: str) -> None:
        """Let the exchange's time pass, then look at these feeds, or at all."""
        self.clock.advance(60.0 * minutes)
        for name in names or self.feeds:
            await self.feeds[name].look()

    async def found(self, name: str) -> LiveSession:
        session = await self.live.find(name)
        assert session is not None
        return session

    async def open(self, name: str, start_ns: int) -> LiveSession:
        asked = SessionRequest(name, "w1", start_ns, LENGTH_DEFAULT, 0.0, ())
        return await self.live.open(self.presets.universe(NAME), asked)


@pytest.fixture
async def rig(bus: Bus, db: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    clock = VirtualClock(START)
    feeds = {
        "btc": ExchangeFeed(symbol="BTC/USDT", interval="1m"),
        "eth": ExchangeFeed(symbol="ETH/USDT", interval="1m"),
        "eth-15m": ExchangeFeed(symbol="ETH/USDT", interval="15m"),
    }
    settings = Settings(
        mesh=MeshSettings(home=tmp_path),
        exchanges={"binance": ExchangeSettings(exchange="binance", feeds=feeds)},
        universes={"both": UniverseSettings(presets=(QUARTERS, MINUTES, BTC))},
    )
    presets, metrics, storage = (
        presets_of(settings),
        SeamlessMetrics(CollectorRegistry()),
        Storage(tmp_path / "stored", db),
    )
    inventory = Inventory(presets, db, Archive(tmp_path), metrics)
    others = [(ETH, MINUTE_MS), (ETH, 15 * MINUTE_MS)]
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(market(clocked(clock), first_ms=FIRST_MS, others=others))
        made = {}
        for name in (BTC, MINUTES, QUARTERS):
            preset = presets.named(name)
            source = await stack.enter_async_context(bars_of(there, dataset=preset.dataset, clock=clock))
            backfiller = Backfiller(storage, Flights(bus, clock), clock, metrics, Random(1))
            made[name] = LiveFeed(preset, source, storage, backfiller, metrics, 60 * MINUTE_NS)
            await made[name].begin()
        yield Rig(presets, made, LiveSessions(made, inventory, db, clock), inventory, db, there, clock)


async def heard(feeds: FeedClock, from_ns: int, until_ns: int, place: int | None = None) -> list[Delivery]:
    found = []
    async with aclosing(feeds.deliveries(from_ns, asyncio.Event(), place)) as deliveries:
        async for delivery in deliveries:
            found.append(delivery)
            if delivery.watermark_ns >= until_ns:
                return found
    raise AssertionError("the deliveries ended")


def closes(rig: Rig, found: Sequence[Delivery]) -> list[tuple[float, str]]:
    """Minutes after noon at which each bar closes, with its preset, in the order in which they came."""
    members = rig.presets.universe(NAME).members
    return [
        ((open_ns + members[place].dataset.interval_ns - NOON_NS) / MINUTE_NS, members[place].name)
        for delivery in found
        if delivery.members is not None
        for open_ns, place in zip(delivery.bars.time_ns.tolist(), delivery.members.tolist(), strict=True)
    ]


async def test_bars_come_by_close_then_symbol_and_longer_bars_hold_nobody(rig: Rig) -> None:
    for _ in range(16):
        await rig.pass_minutes(1)
    assert rig.feed_clock.watermark_ns == at(16)
    told = await heard(rig.feed_clock, at(13), at(16))
    assert closes(rig, told) == [
        (14, BTC), (14, MINUTES), (15, BTC), (15, MINUTES), (15, QUARTERS), (16, BTC), (16, MINUTES)
    ]  # fmt: skip
    (alone,) = await heard(rig.feed_clock, at(0), at(16), place=2)
    assert alone.bars.time_ns.tolist() == [at(0)]
    assert alone.watermark_ns == alone.reached_ns == at(16)


async def test_who_lags_holds_all_and_is_told_by_name(rig: Rig) -> None:
    lags = MemberLags(NAME, rig.feed_clock, SeamlessMetrics(CollectorRegistry()))
    await rig.pass_minutes(1)
    waiting = asyncio.create_task(heard(rig.feed_clock, at(1), at(4)))
    with capture_logs() as logged:
        for _ in range(3):
            await rig.pass_minutes(1, BTC, QUARTERS)
            lags.look()
    assert rig.feed_clock.watermark_ns == at(1)
    assert lags.lagging == {MINUTES}
    assert [(one["event"], one["member"]) for one in logged] == [("member_lags", MINUTES)]
    assert not waiting.done()
    await rig.pass_minutes(0)
    with capture_logs() as logged:
        lags.look()
    assert [(one["event"], one["member"]) for one in logged] == [("member_caught_up", MINUTES)]
    told = await waiting
    assert closes(rig, told) == [(minute, name) for minute in (2, 3, 4) for name in (BTC, MINUTES)]
    assert {one.reached_ns for one in told} == {at(4)}


async def test_a_session_goes_on_with_the_members_that_it_was_opened_with(rig: Rig) -> None:
    session = await rig.open("s", at(1))
    assert [member.preset for member in session.members] == [BTC, MINUTES, QUARTERS]
    assert await rig.live.changed() == []
    fewer = Presets(rig.presets.all, {NAME: (BTC, MINUTES)})
    inventory = Inventory(fewer, rig.db, Archive(Path()), SeamlessMetrics(CollectorRegistry()))
    live = LiveSessions(rig.feeds, inventory, rig.db, rig.clock)
    with capture_logs() as logged:
        await live.tell_changes()
    assert [(one["event"], one["session"], one["universe"]) for one in logged] == [
        ("universe_changed", "s", (BTC, MINUTES))
    ]
    again = await live.open(fewer.universe(NAME), SessionRequest("s", "w1", at(1), LENGTH_DEFAULT, 0.0, ()))
    assert again == session
    fresh = await live.open(fewer.universe(NAME), SessionRequest("t", "w1", at(1), LENGTH_DEFAULT, 0.0, ()))
    assert [member.preset for member in fresh.members] == [BTC, MINUTES]
    gone = LiveSessions({BTC: rig.feeds[BTC], MINUTES: rig.feeds[MINUTES]}, inventory, rig.db, rig.clock)
    with pytest.raises(NotReady, match=QUARTERS):
        gone.clock_of(session)


def test_a_universe_is_of_replays_or_of_one_exchange(rig: Rig) -> None:
    mixed = Presets(rig.presets.all, {"live.mixed": (BTC, "ohlcv.kraken.spot.1m"), "live.demo": (BTC, "demo.btc.15m")})
    for name in mixed.universes:
        with pytest.raises(NotReady, match="E_DATASET_UNAVAILABLE"):
            mixed.universe(name)


async def recorded(rig: Rig, recorder: Recorder, session: LiveSession, until_ns: int) -> list[Delivery]:
    found = []
    given = recorder.through(session, session.members, rig.live.deliveries(session, session.start_ns))
    async with aclosing(given) as deliveries:
        async for delivery in deliveries:
            found.append(delivery)
            if delivery.watermark_ns >= until_ns:
                return found
    raise AssertionError("the deliveries ended")


async def test_a_recording_is_played_in_its_order_and_at_the_times_at_which_it_was_told(rig: Rig) -> None:
    recorder, session = Recorder(rig.inventory, rig.db), await rig.open("s", at(1))
    hearing = asyncio.create_task(recorded(rig, recorder, session, at(16)))
    for _ in range(2):
        await rig.pass_minutes(1)
    for _ in range(9):
        await rig.pass_minutes(1, BTC)  # the others are cut off for nine minutes
    await rig.pass_minutes(0)
    for _ in range(5):
        await rig.pass_minutes(1)
    live = await hearing
    sealed = await recorder.seal_live("s", final=True)
    assert [name for name, _ in sealed] == [BTC, MINUTES, QUARTERS]
    prints = [one.fingerprint for _, one in sealed]

    settings = Settings(mesh=MeshSettings(home=Path()))
    sessions = ReplaySessions(rig.inventory, rig.db, rig.clock, settings, SeamlessMetrics(CollectorRegistry()))
    recording = await recorder.recording(prints, "", rig.found)
    asked = SessionRequest("again", "w2", None, LENGTH_DEFAULT, 0.0, ())
    replay = await sessions.play_recording(recording, asked)
    assert (replay.recorded, replay.preset, replay.span.start_ns) == ("s", NAME, at(1))
    assert await sessions.play_recording(recording, asked) == replay
    running = asyncio.create_task(sessions.run())
    try:
        await asyncio.sleep(0)  # it holds players' tasks from its first step on
        player = await sessions.player("again")
        async with asyncio.timeout(20):
            played = [one async for one in player.deliveries(replay.span.start_ns)]
        assert [
            (one.watermark_ns, one.reached_ns, one.bars.time_ns.tolist(), one.bars.close.tolist()) for one in played
        ] == [(one.watermark_ns, one.reached_ns, one.bars.time_ns.tolist(), one.bars.close.tolist()) for one in live]
        assert at(12) - at(3) in {after.watermark_ns - before.watermark_ns for before, after in pairwise(live)}
        assert closes(rig, played) == closes(rig, live)
        late = await sessions.player("again")  # it has played all
        read = [one async for one in late.deliveries(replay.span.start_ns)]
        assert sum(len(one.bars) for one in read) == sum(len(one.bars) for one in live)
        assert [(one.bars.time_ns.tolist(), one.reached_ns) for one in read if len(one.bars)] == [
            (one.bars.time_ns.tolist(), one.reached_ns) for one in live if len(one.bars)
        ]
        (missed, *_) = [one async for one in late.deliveries(replay.span.start_ns, "slow")]
        assert missed.reached_ns == at(16), "who follows and comes late has missed it"

        one = await recorder.recording(prints[2:], "", rig.found)  # of longer bars than the session's clock
        long = await sessions.play_recording(one, SessionRequest("long", "w2", None, LENGTH_DEFAULT, 0.0, ()))
        assert long.interval_ns == MINUTE_NS, "from minute 1 on by quarters every close of a quarter would be passed"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with pytest.raises(NotFound, match="E_ARTIFACT_UNKNOWN"):
        await recorder.recording(["sha256:none"], "", rig.found)
    with pytest.raises(InvalidRequest, match="one of each"):
        await recorder.recording([prints[0], prints[0]], "", rig.found)
