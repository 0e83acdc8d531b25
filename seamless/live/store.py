"""Live data sessions in SQL. Every function runs inside a caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from seamless.schema import integer_column, metadata, text_column

live_sessions = sa.Table(
    "live_sessions",
    metadata,
    text_column("session_id", key=True),
    text_column("world_id"),
    text_column("preset"),
    text_column("history"),
    integer_column("start_ns"),
    integer_column("opened_at_ns"),
    integer_column("closed_at_ns"),
)


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A world's session on a live preset, from the first bar it acts on. `history` is the newest sealed artifact when
    it was opened, empty where there was none; `closed_at_ns` 0: it goes on.
    """

    session_id: str
    world_id: str
    preset: str
    history: str
    start_ns: int
    opened_at_ns: int
    closed_at_ns: int = 0


def add_session(conn: Connection, session: LiveSession) -> LiveSession:
    """Record a session, or answer the one that has its name already."""
    known = load_session(conn, session.session_id)
    if known is None:
        names = ("session_id", "world_id", "preset", "history", "start_ns", "opened_at_ns", "closed_at_ns")
        conn.execute(sa.insert(live_sessions), {name: getattr(session, name) for name in names})
    return known or session


def load_session(conn: Connection, session_id: str) -> LiveSession | None:
    """A session by its name."""
    query = sa.select(live_sessions).where(live_sessions.c.session_id == session_id)
    row = conn.execute(query).mappings().first()
    return _session(row) if row else None


def end_session(conn: Connection, session_id: str, now_ns: int) -> None:
    """Close a session, once."""
    mine = (live_sessions.c.session_id == session_id, live_sessions.c.closed_at_ns == 0)
    conn.execute(sa.update(live_sessions).where(*mine).values(closed_at_ns=now_ns))


def open_of(conn: Connection, world_id: str) -> list[str]:
    """A world's sessions that go on."""
    mine = (live_sessions.c.world_id == world_id, live_sessions.c.closed_at_ns == 0)
    return list(conn.scalars(sa.select(live_sessions.c.session_id).where(*mine).order_by(live_sessions.c.session_id)))


def open_worlds(conn: Connection) -> list[str]:
    """Worlds with sessions that go on."""
    query = sa.select(live_sessions.c.world_id).where(live_sessions.c.closed_at_ns == 0)
    return list(conn.scalars(query.distinct().order_by(live_sessions.c.world_id)))


def _session(row: RowMapping) -> LiveSession:
    return LiveSession(
        session_id=row["session_id"],
        world_id=row["world_id"],
        preset=row["preset"],
        history=row["history"],
        start_ns=row["start_ns"],
        opened_at_ns=row["opened_at_ns"],
        closed_at_ns=row["closed_at_ns"],
    )
