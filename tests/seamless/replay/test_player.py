"""A session at work: subscribers see the same bars, it waits for them, and no restart takes a bar back."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from qmtl.calendars.spans import Span
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import InvalidRequest, NotFound, Unavailable
from qmtl.sql.database import Database
from seamless.domain.sessions.playback import Delivery, Member, Replay
from seamless.metrics import SeamlessMetrics
from seamless.replay import store as replay_store
from seamless.replay.player import BATCH_BARS, PlaybackResources, Player
from tests.seamless.samples import START, STEP, walk

_PATIENCE_NS = 30 * 10**9


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'store.db'}", synchronous="NORMAL")
    await database.migrate("seamless:migrations")
    yield database
    await database.close()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))


async def _open(db: Database, clock: VirtualClock, bars: int = 6, bars_per_s: float = 0.0) -> Replay:
    now_ns = int(clock.now().timestamp()) * 10**9
    span = Span(START, START + bars * STEP)
    replay = Replay(
        "s1",
        "w1",
        "p",
        (Member("p", "d", STEP, "sha256:x", "sha256:h"),),
        span,
        STEP,
        bars_per_s,
        now_ns,
        now_ns,
        START,
    )
    return await db.write(lambda conn: replay_store.add_replay(conn, replay))


@asynccontextmanager
async def _playing(
    replay: Replay, db: Database, clock: VirtualClock, followers: tuple[str, ...] = ()
) -> AsyncIterator[Player]:
    """A player with its task, killed at the end as a process would be."""
    table = walk(replay.span.bars(STEP))
    player = Player(
        replay, [table], followers, PlaybackResources(db, clock, SeamlessMetrics(CollectorRegistry()), _PATIENCE_NS)
    )
    task = asyncio.create_task(player.run())
    try:
        yield player
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _next(stream: AsyncGenerator[Delivery, None]) -> Delivery:
    async with asyncio.timeout(5):
        return await anext(stream)


async def _all(stream: AsyncGenerator[Delivery, None]) -> list[int]:
    async with asyncio.timeout(10):
        return [int(t) for delivery in [d async for d in stream] for t in delivery.bars.time_ns]


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a plain value without an event of its own
            await asyncio.sleep(0.002)


def _opens(first: int, last: int) -> list[int]:
    return [START + i * STEP for i in range(first, last)]


async def test_two_subscribers_see_identical_bars_to_the_end(db: Database, clock: VirtualClock) -> None:
    async with _playing(await _open(db, clock, 300), db, clock) as player:
        both = await asyncio.gather(_all(player.deliveries(START)), _all(player.deliveries(START)))
        assert list(both) == [_opens(0, 300), _opens(0, 300)]
        assert player.idle


async def test_a_session_waits_for_its_slowest_subscriber(db: Database, clock: VirtualClock) -> None:
    async with _playing(await _open(db, clock), db, clock) as player:
        fast, slow = player.deliveries(START), player.deliveries(START)
        assert (await _next(slow)).watermark_ns == START + STEP
        assert (await _next(fast)).watermark_ns == START + STEP
        waiting = asyncio.create_task(_next(fast))
        await _until(lambda: clock.sleepers > 0)
        assert player.replay.watermark_ns == START + STEP
        assert (await _next(slow)).watermark_ns == START + 2 * STEP
        assert (await waiting).watermark_ns == START + 2 * STEP


async def test_a_subscriber_that_takes_nothing_is_given_up_on(db: Database, clock: VirtualClock) -> None:
    async with _playing(await _open(db, clock), db, clock) as player:
        stuck, other = player.deliveries(START), player.deliveries(START)
        await _next(stuck)
        await _next(other)
        waiting = asyncio.create_task(_next(other))
        await _until(lambda: clock.sleepers > 0)
        clock.advance(31)
        assert (await waiting).watermark_ns == START + 2 * STEP


async def test_a_subscriber_that_leaves_is_not_waited_for(db: Database, clock: VirtualClock) -> None:
    async with _playing(await _open(db, clock), db, clock) as player:
        gone, other = player.deliveries(START), player.deliveries(START)
        await _next(gone)
        await _next(other)
        await gone.aclose()
        assert (await _next(other)).watermark_ns == START + 2 * STEP


async def test_the_venue_never_runs_more_than_a_bar_ahead_of_a_follower(db: Database, clock: VirtualClock) -> None:
    async with _playing(await _open(db, clock), db, clock, ("runner",)) as player:
        venue = player.deliveries(START)
        assert (await _next(venue)).watermark_ns == START + STEP
        waiting = asyncio.create_task(_next(venue))
        await _until(lambda: clock.sleepers > 0)
        assert player.waiting_for == ("runner",)
        runner = player.deliveries(START, "runner")
        assert (await _next(runner)).watermark_ns == START + STEP
        running = asyncio.create_task(_next(runner))
        early, _ = await asyncio.wait({waiting, running}, timeout=0.1)
        assert not early
        player.confirm("runner", START + STEP)
        assert (await waiting).watermark_ns == (await running).watermark_ns == START + 2 * STEP


async def test_a_follower_that_resumes_is_done_with_what_came_before(db: Database, clock: VirtualClock) -> None:
    async with _playing(await _open(db, clock), db, clock, ("runner",)) as player:
        first = player.deliveries(START, "runner")
        await _next(first)
        await first.aclose()
        again = player.deliveries(START + STEP, "runner")
        assert (await _next(again)).watermark_ns == START + 2 * STEP


async def test_an_older_confirmation_takes_nothing_back(db: Database, clock: VirtualClock) -> None:
    async with _playing(await _open(db, clock), db, clock, ("runner",)) as player:
        stream = player.deliveries(START, "runner")
        await _next(stream)
        player.confirm("runner", START + STEP)
        player.confirm("runner", START)
        assert (await _next(stream)).watermark_ns == START + 2 * STEP


async def test_a_follower_that_is_lost_or_leaves_is_not_waited_for(db: Database, clock: VirtualClock) -> None:
    async with _playing(await _open(db, clock), db, clock, ("lost", "done")) as player:
        venue = player.deliveries(START)
        await _next(venue)
        waiting = asyncio.create_task(_next(venue))
        player.leave("done")
        await _until(lambda: clock.sleepers > 0)
        assert not waiting.done()
        clock.advance(31)
        assert (await waiting).watermark_ns == START + 2 * STEP


async def test_only_known_followers_confirm_and_only_what_was_played(db: Database, clock: VirtualClock) -> None:
    async with _playing(await _open(db, clock), db, clock, ("runner",)) as player:
        with pytest.raises(NotFound) as unknown:
            player.confirm("nobody", START)
        assert unknown.value.reason == "E_FOLLOWER_UNKNOWN"
        with pytest.raises(InvalidRequest) as ahead:
            player.confirm("runner", player.replay.span.end_ns)
        assert ahead.value.violations[0].field == "through"


async def test_a_pace_is_kept_by_the_clock(db: Database, clock: VirtualClock) -> None:
    async with _playing(await _open(db, clock, bars_per_s=2.0), db, clock) as player:
        stream = player.deliveries(START)
        waiting = asyncio.create_task(_next(stream))
        for bar in (1, 2):
            await _until(lambda: clock.sleepers > 0)
            assert player.replay.watermark_ns == START + (bar - 1) * STEP
            clock.advance(0.5)
            assert (await waiting).watermark_ns == START + bar * STEP
            waiting = asyncio.create_task(_next(stream))
        waiting.cancel()


async def test_the_watermark_is_durable_before_anyone_sees_it(db: Database, clock: VirtualClock) -> None:
    async with _playing(await _open(db, clock), db, clock) as player:
        stream = player.deliveries(START)
        for _ in range(3):
            seen = await _next(stream)
            stored = await db.read(lambda conn: replay_store.load_replay(conn, "s1"))
            assert stored is not None
            assert stored.watermark_ns >= seen.watermark_ns
    assert stored is not None
    async with _playing(stored, db, clock) as again:
        resumed = await _all(again.deliveries(seen.watermark_ns))
        assert resumed == _opens(3, 6)
        assert await _all(again.deliveries(START)) == _opens(0, 6)


async def test_a_late_joiner_catches_up_in_batches_with_every_bar_once(db: Database, clock: VirtualClock) -> None:
    async with _playing(await _open(db, clock, 700), db, clock) as player:
        await _all(player.deliveries(START))
        late = [delivery async for delivery in player.deliveries(START + STEP)]
        assert [len(d.bars) for d in late] == [BATCH_BARS, BATCH_BARS, 699 - 2 * BATCH_BARS]
        assert [d.last for d in late] == [False, False, True]
        assert late[0].watermark_ns == START + (1 + BATCH_BARS) * STEP
        assert late[-1].watermark_ns == player.replay.span.end_ns


async def test_time_passes_over_gaps(db: Database, clock: VirtualClock) -> None:
    replay = await _open(db, clock)
    table = walk(6)
    gappy = table.take((table.time_ns < START + 2 * STEP) | (table.time_ns >= START + 5 * STEP))
    player = Player(
        replay, [gappy], (), PlaybackResources(db, clock, SeamlessMetrics(CollectorRegistry()), _PATIENCE_NS)
    )
    task = asyncio.create_task(player.run())
    got = [(len(d.bars), (d.watermark_ns - START) // STEP) async for d in player.deliveries(START)]
    assert got == [(1, 1), (1, 2), (0, 3), (0, 4), (0, 5), (1, 6)]
    await task


async def test_subscribers_are_sent_away_when_the_server_stops(db: Database, clock: VirtualClock) -> None:
    async with _playing(await _open(db, clock, bars_per_s=0.001), db, clock) as player:
        waiting = asyncio.create_task(_next(player.deliveries(START)))
        await _until(lambda: clock.sleepers > 0)
        player.close()
        with pytest.raises(Unavailable) as caught:
            await waiting
        assert caught.value.reason == "E_STOPPING"
