"""Replay sessions in SQL: opened once, watermarks only grow, followers until they leave."""

from __future__ import annotations

from dataclasses import replace

from qmtl.calendars.spans import Span
from qmtl.sql.database import Database
from seamless.domain.sessions.playback import Member, Replay
from seamless.replay import store as replay_store
from tests.seamless.samples import START, STEP


def _replay(name: str = "s1") -> Replay:
    span = Span(START, START + 4 * STEP)
    return Replay(name, "w1", "p", (Member("p", "d", STEP, "sha256:x", "sha256:h"),), span, STEP, 0.5, 7, 7, START)


async def test_a_session_is_opened_once_and_its_watermark_only_grows(db: Database) -> None:
    replay = _replay()
    assert await db.write(lambda conn: replay_store.add_replay(conn, replay)) == replay
    other = replace(replay, preset="q")
    assert await db.write(lambda conn: replay_store.add_replay(conn, other)) == replay
    ahead = replace(replay, watermark_ns=START + 2 * STEP, advanced_at_ns=9)
    await db.write(lambda conn: replay_store.advance_replay(conn, ahead))
    await db.write(lambda conn: replay_store.advance_replay(conn, replace(replay, watermark_ns=START + STEP)))
    assert await db.read(lambda conn: replay_store.load_replay(conn, "s1")) == ahead


async def test_sessions_with_bars_left_are_counted(db: Database) -> None:
    for name in ("a", "b"):
        await db.write(lambda conn, n=name: replay_store.add_replay(conn, _replay(n)))  # type: ignore[misc] # a bound default
    done = replace(_replay("a"), watermark_ns=_replay().span.end_ns)
    await db.write(lambda conn: replay_store.advance_replay(conn, done))
    assert await db.read(lambda conn: replay_store.unfinished_replays(conn, "nobody")) == (1, 0)


async def test_followers_are_remembered_once_until_they_leave(db: Database) -> None:
    for names in (["b", "a"], ["b", "c"]):
        await db.write(lambda conn, n=names: replay_store.add_followers(conn, "s1", n))  # type: ignore[misc] # a bound default
    await db.write(lambda conn: replay_store.remove_follower(conn, "s1", "b"))
    assert await db.read(lambda conn: replay_store.followers_of(conn, "s1")) == ["a", "c"]
    assert await db.read(lambda conn: replay_store.followers_of(conn, "s2")) == []
