"""Rows of what must still be undone after a strategy ended: its bindings and its plans.

Written in the transaction that ends the strategy, deleted once worldservice and dagmanager have both answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.submissions.tables import RELEASES
from qmtl.sql.database import signal
from qmtl.sql.instants import instant, micros
from qmtl.sql.statements.prepared import Prepared

DUE_SIGNAL = "releases"  # raised when a release became due
AHEAD_MAX = timedelta(minutes=11)  # the longest claim, and more


@dataclass(frozen=True, slots=True)
class Release:
    """One strategy to unbind and release, taken up for the `attempts`-th time on behalf of `actor`."""

    strategy_id: str
    actor: str
    attempts: int
    settle_at: datetime


def schedule(conn: Connection, strategy_id: str, actor: str, due_us: int, settle_us: int) -> None:
    """Make a release due; one that is pending already starts over."""
    conn.execute(sa.delete(RELEASES).where(RELEASES.c.strategy_id == strategy_id))
    values = {
        "strategy_id": strategy_id, "actor": actor, "due_us": due_us, "settle_us": settle_us, "attempts": 0,
        "message": "",
    }  # fmt: skip
    conn.execute(sa.insert(RELEASES).values(values))
    signal(conn, DUE_SIGNAL)


def any_due(conn: Connection, at: datetime) -> bool:
    """Whether there is anything to take up: asked before the write transaction that does."""
    return _ANY_DUE.rows(conn, {"now": micros(at)}).first() is not None


def take_up(conn: Connection, at: datetime, ttl: timedelta) -> Release | None:
    """The next release that is due; another worker may have it after `ttl`."""
    table = RELEASES.c
    query = sa.select(RELEASES).where(table.due_us <= micros(at)).order_by(table.due_us).limit(1)
    row = conn.execute(query.with_for_update(skip_locked=True)).mappings().first()
    if row is None:
        return None
    release = Release(row["strategy_id"], row["actor"], row["attempts"] + 1, instant(row["settle_us"]))
    later = {"due_us": micros(at + ttl), "attempts": release.attempts}
    conn.execute(sa.update(RELEASES).where(table.strategy_id == release.strategy_id).values(later))
    return release


def done(conn: Connection, release: Release, at: datetime) -> None:
    """Everything is undone: forget it, or do it once more when a worker could still have bound it meanwhile."""
    if at >= release.settle_at:
        conn.execute(sa.delete(RELEASES).where(_same(release)))
    else:
        conn.execute(sa.update(RELEASES).where(_same(release)).values(due_us=micros(release.settle_at)))


def again(conn: Connection, release: Release, retry_at: datetime, message: str) -> None:
    """Something could not be undone now."""
    conn.execute(sa.update(RELEASES).where(_same(release)).values(due_us=micros(retry_at), message=message[:500]))


def hurry(conn: Connection, strategy_id: str, at: datetime) -> bool:
    """The worker that held the strategy is through: nothing binds it after this instant. False: no release waits."""
    now = {"due_us": micros(at), "settle_us": micros(at)}
    waits = conn.execute(sa.update(RELEASES).where(RELEASES.c.strategy_id == strategy_id).values(now)).rowcount > 0
    if waits:
        signal(conn, DUE_SIGNAL)
    return waits


def pending(conn: Connection) -> int:
    """How many strategies wait to be released."""
    return conn.execute(sa.select(sa.func.count()).select_from(RELEASES)).scalar_one()


def clamp(conn: Connection, at: datetime) -> int:
    """Make due what is farther ahead than any release is ever set: the clock was set back since; how many were."""
    late = RELEASES.c.due_us > micros(at + AHEAD_MAX)
    return conn.execute(sa.update(RELEASES).where(late).values(due_us=micros(at), settle_us=micros(at))).rowcount


def _same(release: Release) -> sa.ColumnElement[bool]:
    return sa.and_(RELEASES.c.strategy_id == release.strategy_id, RELEASES.c.attempts == release.attempts)


_ANY_DUE = Prepared(sa.select(RELEASES.c.strategy_id).where(RELEASES.c.due_us <= sa.bindparam("now")).limit(1))
