"""Rows of the sessions of worlds in trading domains."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from qmtl.core.errors import NotFound
from qmtl.core.modes import ExecutionDomain
from qmtl.sql.instants import instant, instant_or_none, micros, micros_or_none
from qmtl.sql.statements.prepared import Prepared
from worldservice.worlds.domain.session import Session
from worldservice.worlds.tables import sessions


def open_sessions(conn: Connection, world_id: str) -> tuple[Session, ...]:
    """The sessions of a world that are open, at most one per domain."""
    return tuple(_session(row) for row in _OPEN.rows(conn, {"world": world_id}).mappings())


def get_session(conn: Connection, session_id: str) -> Session:
    """A session, open or closed. Raises NotFound (E_SESSION_UNKNOWN)."""
    row = conn.execute(sa.select(sessions).where(sessions.c.session_id == session_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("E_SESSION_UNKNOWN", f"there is no session {session_id!r}")
    return _session(row)


def save_session(conn: Connection, session: Session) -> None:
    """Update the row of a session, or insert it."""
    values = {
        "world_id": session.world_id,
        "execution_domain": session.domain.value,
        "start_us": micros(session.start),
        "watermark_us": micros(session.watermark),
        "data_preset": session.data_preset,
        "dataset_fingerprint": session.dataset_fingerprint,
        "opened_us": micros(session.opened_at),
        "closed_us": micros_or_none(session.closed_at),
    }
    where = sessions.c.session_id == session.session_id
    if conn.execute(sa.update(sessions).where(where).values(**values)).rowcount == 0:
        conn.execute(sa.insert(sessions).values(session_id=session.session_id, **values))


def _session(row: RowMapping) -> Session:
    return Session(
        session_id=row["session_id"],
        world_id=row["world_id"],
        domain=ExecutionDomain(row["execution_domain"]),
        start=instant(row["start_us"]),
        watermark=instant(row["watermark_us"]),
        data_preset=row["data_preset"],
        dataset_fingerprint=row["dataset_fingerprint"],
        opened_at=instant(row["opened_us"]),
        closed_at=instant_or_none(row["closed_us"]),
    )


_OPEN = Prepared(
    sa.select(sessions)
    .where(sessions.c.world_id == sa.bindparam("world"), sessions.c.closed_us.is_(None))
    .order_by(sessions.c.session_id)
)
