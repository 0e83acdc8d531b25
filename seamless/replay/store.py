"""Replay sessions and their followers in SQL.

A watermark is written before anyone sees a bar beyond the old
one, and an older value never overwrites a newer.
Every function runs inside a caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from qmtl.calendars.spans import Span
from seamless.domain.sessions.playback import Member, Replay
from seamless.live.store import add_members, members, members_of
from seamless.schema import integer_column, metadata, text_column

replays = sa.Table(
    "replays",
    metadata,
    text_column("session_id", key=True),
    text_column("world_id"),
    text_column("preset"),
    text_column("recorded"),
    integer_column("start_ns"),
    integer_column("end_ns"),
    integer_column("interval_ns"),
    sa.Column("bars_per_s", sa.Double, nullable=False),
    integer_column("opened_at_ns"),
    integer_column("advanced_at_ns"),
    integer_column("watermark_ns"),
)
followers = sa.Table(
    "followers",
    metadata,
    text_column("session_id", key=True),
    text_column("name", key=True),
)

_UNFINISHED = replays.c.watermark_ns < replays.c.end_ns


def add_replay(conn: Connection, replay: Replay) -> Replay:
    """Record a session, or answer the one that has its name already."""
    known = load_replay(conn, replay.session_id)
    if known is None:
        conn.execute(sa.insert(replays), _replay_row(replay))
        add_members(conn, replay.session_id, replay.members)
    return known or replay


def load_replay(conn: Connection, session_id: str) -> Replay | None:
    """A session by its name."""
    row = conn.execute(sa.select(replays).where(replays.c.session_id == session_id)).mappings().first()
    if row is None:
        return None
    return _replay(row, members_of(conn, session_id))


def advance_replay(conn: Connection, replay: Replay) -> None:
    """Write a session's new watermark; an older one than is stored changes nothing."""
    newer = sa.and_(replays.c.session_id == replay.session_id, replays.c.watermark_ns < replay.watermark_ns)
    moved = {"watermark_ns": replay.watermark_ns, "advanced_at_ns": replay.advanced_at_ns}
    conn.execute(sa.update(replays).where(newer).values(moved))


def add_followers(conn: Connection, session_id: str, names: Iterable[str]) -> None:
    """Remember whom a session waits for."""
    for name in sorted(set(names) - set(followers_of(conn, session_id))):
        conn.execute(sa.insert(followers), {"session_id": session_id, "name": name})


def followers_of(conn: Connection, session_id: str) -> list[str]:
    """Whom a session waits for."""
    query = sa.select(followers.c.name).where(followers.c.session_id == session_id).order_by(followers.c.name)
    return list(conn.scalars(query))


def remove_follower(conn: Connection, session_id: str, name: str) -> None:
    """Forget one that has left."""
    conn.execute(sa.delete(followers).where(followers.c.session_id == session_id, followers.c.name == name))


def end_replay(conn: Connection, session_id: str) -> None:
    """What has been played of a session is all there is of it; nobody is waited for any more."""
    mine = replays.c.session_id == session_id
    conn.execute(sa.update(replays).where(mine, _UNFINISHED).values(end_ns=replays.c.watermark_ns))
    conn.execute(sa.delete(followers).where(followers.c.session_id == session_id))


def unfinished_worlds(conn: Connection) -> list[str]:
    """Worlds with sessions that still have bars to play."""
    return list(conn.scalars(sa.select(replays.c.world_id).where(_UNFINISHED).distinct().order_by(replays.c.world_id)))


def unfinished_of(conn: Connection, world_id: str) -> list[str]:
    """A world's sessions that still have bars to play."""
    query = sa.select(replays.c.session_id).where(_UNFINISHED, replays.c.world_id == world_id)
    return list(conn.scalars(query.order_by(replays.c.session_id)))


def unfinished_replays(conn: Connection, world_id: str) -> tuple[int, int]:
    """How many sessions still have bars to play: in all, and of one world."""
    whole = sa.select(sa.func.count()).where(_UNFINISHED)
    return conn.scalar(whole) or 0, conn.scalar(whole.where(replays.c.world_id == world_id)) or 0


def drop_idle(conn: Connection, before_ns: int, playing: Collection[str]) -> int:
    """Forget unfinished sessions that nobody follows, that have not moved since and are not played; how many."""
    followed = sa.select(followers.c.session_id)
    where = (_UNFINISHED, replays.c.advanced_at_ns < before_ns, replays.c.session_id.not_in(followed))
    names = [name for name in conn.scalars(sa.select(replays.c.session_id).where(*where)) if name not in playing]
    conn.execute(sa.delete(members).where(members.c.session_id.in_(names)))
    return conn.execute(sa.delete(replays).where(replays.c.session_id.in_(names))).rowcount


def _replay_row(replay: Replay) -> dict[str, str | int | float]:
    return {
        "session_id": replay.session_id,
        "world_id": replay.world_id,
        "preset": replay.preset,
        "recorded": replay.recorded,
        "start_ns": replay.span.start_ns,
        "end_ns": replay.span.end_ns,
        "interval_ns": replay.interval_ns,
        "bars_per_s": replay.bars_per_s,
        "opened_at_ns": replay.opened_at_ns,
        "advanced_at_ns": replay.advanced_at_ns,
        "watermark_ns": replay.watermark_ns,
    }


def _replay(row: RowMapping, found: tuple[Member, ...]) -> Replay:
    return Replay(
        session_id=row["session_id"],
        world_id=row["world_id"],
        preset=row["preset"],
        members=found,
        span=Span(row["start_ns"], row["end_ns"]),
        interval_ns=row["interval_ns"],
        bars_per_s=row["bars_per_s"],
        opened_at_ns=row["opened_at_ns"],
        advanced_at_ns=row["advanced_at_ns"],
        watermark_ns=row["watermark_ns"],
        recorded=row["recorded"],
    )
