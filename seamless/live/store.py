"""Live data sessions in SQL. Every function runs inside a caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from seamless.domain.sessions.playback import Member, history_of
from seamless.schema import integer_column, metadata, text_column

live_sessions = sa.Table(
    "live_sessions",
    metadata,
    text_column("session_id", key=True),
    text_column("world_id"),
    text_column("preset"),
    integer_column("start_ns"),
    integer_column("opened_at_ns"),
    integer_column("closed_at_ns"),
)
members = sa.Table(
    "session_members",
    metadata,
    text_column("session_id", key=True),
    integer_column("place", key=True),
    text_column("preset"),
    text_column("dataset"),
    integer_column("interval_ns"),
    text_column("source"),
    text_column("history"),
)


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A world's session on a live preset, or on a universe of them, from the first bar it acts on. Its members are
    those of the universe when it was opened; `closed_at_ns` 0: it goes on.
    """

    session_id: str
    world_id: str
    preset: str
    members: tuple[Member, ...]
    start_ns: int
    opened_at_ns: int
    closed_at_ns: int = 0

    @property
    def history(self) -> str:
        """The fingerprint of what was sealed when it was opened, empty where nothing was."""
        return history_of(self.members)


def add_session(conn: Connection, session: LiveSession) -> LiveSession:
    """Record a session, or answer the one that has its name already."""
    known = load_session(conn, session.session_id)
    if known is None:
        names = ("session_id", "world_id", "preset", "start_ns", "opened_at_ns", "closed_at_ns")
        conn.execute(sa.insert(live_sessions), {name: getattr(session, name) for name in names})
        add_members(conn, session.session_id, session.members)
    return known or session


def add_members(conn: Connection, session_id: str, given: Sequence[Member]) -> None:
    """Record what a session plays, in order."""
    rows = [{"session_id": session_id, "place": place, **asdict(member)} for place, member in enumerate(given)]
    conn.execute(sa.insert(members), rows)


def members_of(conn: Connection, session_id: str) -> tuple[Member, ...]:
    """What a session plays, in order."""
    query = sa.select(members).where(members.c.session_id == session_id).order_by(members.c.place)
    return tuple(
        Member(one["preset"], one["dataset"], one["interval_ns"], one["source"], one["history"])
        for one in conn.execute(query).mappings()
    )


def load_session(conn: Connection, session_id: str) -> LiveSession | None:
    """A session by its name."""
    row = conn.execute(sa.select(live_sessions).where(live_sessions.c.session_id == session_id)).mappings().first()
    if row is None:
        return None
    return LiveSession(
        session_id=row["session_id"],
        world_id=row["world_id"],
        preset=row["preset"],
        members=members_of(conn, session_id),
        start_ns=row["start_ns"],
        opened_at_ns=row["opened_at_ns"],
        closed_at_ns=row["closed_at_ns"],
    )


def end_session(conn: Connection, session_id: str, now_ns: int) -> None:
    """Close a session, once."""
    mine = (live_sessions.c.session_id == session_id, live_sessions.c.closed_at_ns == 0)
    conn.execute(sa.update(live_sessions).where(*mine).values(closed_at_ns=now_ns))


def open_of(conn: Connection, world_id: str) -> list[str]:
    """A world's sessions that go on."""
    mine = (live_sessions.c.world_id == world_id, live_sessions.c.closed_at_ns == 0)
    return list(conn.scalars(sa.select(live_sessions.c.session_id).where(*mine).order_by(live_sessions.c.session_id)))


def open_sessions(conn: Connection) -> list[LiveSession]:
    """Sessions that go on, by name."""
    query = sa.select(live_sessions.c.session_id).where(live_sessions.c.closed_at_ns == 0)
    names = conn.scalars(query.order_by(live_sessions.c.session_id)).all()
    return [found for name in names if (found := load_session(conn, name)) is not None]


def open_worlds(conn: Connection) -> list[str]:
    """Worlds with sessions that go on."""
    query = sa.select(live_sessions.c.world_id).where(live_sessions.c.closed_at_ns == 0)
    return list(conn.scalars(query.distinct().order_by(live_sessions.c.world_id)))
