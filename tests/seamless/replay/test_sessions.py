"""Replay sessions within their limits: how many play at once, how many follow one, and what is not replayed at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from qmtl.config.settings import MeshSettings
from qmtl.core.clock import SystemClock, VirtualClock
from qmtl.core.errors import Conflict, Exhausted, NotFound, NotReady
from qmtl.sql.database import Database
from seamless.config import Settings
from seamless.domain.sessions.requests import FOLLOWERS_MAX, SessionRequest
from seamless.metrics import SeamlessMetrics
from seamless.presets.preset import Universe
from seamless.replay.sessions import ReplaySessions
from tests.seamless.asking import DEMO
from tests.seamless.serving import Seamless


@pytest.fixture
def sessions(seamless: Seamless, db: Database, tmp_path: Path) -> ReplaySessions:
    settings = Settings(mesh=MeshSettings(home=tmp_path), replays_max=1)
    return ReplaySessions(seamless.inventory, db, SystemClock(), settings, SeamlessMetrics(CollectorRegistry()))


def _request(name: str) -> SessionRequest:
    return SessionRequest(name, "w1", None, timedelta(days=1), 0.0)


async def test_more_sessions_than_may_play_are_refused(sessions: ReplaySessions, seamless: Seamless) -> None:
    preset = seamless.inventory.presets.universe(DEMO)
    first = await sessions.open(preset, _request("one"))
    assert await sessions.open(preset, _request("one")) == first
    with pytest.raises(Exhausted) as caught:
        await sessions.open(preset, _request("two"))
    assert caught.value.reason == "E_DATA_SESSIONS"


async def test_a_session_has_at_most_so_many_followers(sessions: ReplaySessions, seamless: Seamless) -> None:
    await sessions.open(seamless.inventory.presets.universe(DEMO), _request("one"))
    for number in range(FOLLOWERS_MAX):
        await sessions.following("one", f"f{number}")
    await sessions.following("one", "f0")
    with pytest.raises(Exhausted) as caught:
        await sessions.following("one", "another")
    assert caught.value.reason == "E_FOLLOWERS"


async def test_a_real_feed_is_not_replayed(sessions: ReplaySessions, seamless: Seamless) -> None:
    live = Universe(DEMO, (replace(seamless.inventory.presets.named(DEMO), replay=False),))
    with pytest.raises(NotReady) as caught:
        await sessions.open(live, _request("one"))
    assert caught.value.reason == "E_NOT_A_REPLAY"


async def test_one_world_has_its_sessions_and_no_more_and_idle_ones_give_their_place_up(
    seamless: Seamless, db: Database, tmp_path: Path
) -> None:
    clock = VirtualClock(datetime(2026, 3, 2, tzinfo=UTC))
    settings = Settings(mesh=MeshSettings(home=tmp_path), replays_max=3, world_replays_max=2, replay_idle_s=60)
    sessions = ReplaySessions(seamless.inventory, db, clock, settings, SeamlessMetrics(CollectorRegistry()))
    preset = seamless.inventory.presets.universe(DEMO)
    for name in ("one", "two"):
        await sessions.open(preset, _request(name))
    with pytest.raises(Exhausted) as caught:
        await sessions.open(preset, _request("three"))
    assert (caught.value.reason, caught.value.retry_after_s) == ("E_DATA_SESSIONS", 60)
    assert "2 sessions of world w1" in caught.value.message
    await sessions.open(preset, replace(_request("other"), world_id="w2"))
    with pytest.raises(Exhausted, match="3 sessions are still playing"):
        await sessions.open(preset, replace(_request("third"), world_id="w3"))
    await sessions.following("two", "account")
    clock.advance(61)
    await sessions.open(preset, _request("three"))
    assert (await sessions.find("two")).session_id == "two"
    with pytest.raises(NotFound):
        await sessions.find("one")


async def test_a_session_that_is_closed_ends_where_it_stands_and_makes_room(
    sessions: ReplaySessions, seamless: Seamless
) -> None:
    preset = seamless.inventory.presets.universe(DEMO)
    opened = await sessions.open(preset, _request("one"))
    await sessions.following("one", "account")
    closed = await sessions.close("one")
    assert (closed.finished, closed.watermark_ns) == (True, opened.watermark_ns)
    assert await sessions.close("one") == closed
    assert await sessions.worlds() == []
    with pytest.raises(Conflict) as caught:
        await sessions.open(preset, _request("one"))
    assert caught.value.reason == "E_DATA_SESSION_CONFLICT"
    await sessions.open(preset, _request("two"))
    assert await sessions.worlds() == ["w1"]
    assert await sessions.close_world("w1") == 1
    assert await sessions.worlds() == []
    with pytest.raises(NotFound):
        await sessions.close("three")
