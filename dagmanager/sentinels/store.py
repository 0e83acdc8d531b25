"""Rows of sentinels, and the worlds whose traffic each moves."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.plans.store import PlanRef, require_plan
from dagmanager.sentinels import domain as rules
from dagmanager.sentinels.domain import Sentinel
from dagmanager.tables import plan_contexts, sentinels
from qmtl.core.errors import NotFound
from qmtl.sql.instants import instant, micros
from qmtl.sql.statements.prepared import Prepared


def store_sentinel(conn: Connection, plan: PlanRef, commit_hash: str, weight: float, now: datetime) -> Sentinel | None:
    """Make the plan's sentinel; None when it is there already."""
    made = Sentinel(
        rules.sentinel_id(plan.strategy_id, plan.version), plan.strategy_id, plan.version, commit_hash, weight, 1, now
    )
    values = {
        "sentinel_id": made.sentinel_id,
        "strategy_id": made.strategy_id,
        "version": made.version,
        "commit_hash": commit_hash,
        "traffic_weight": weight,
        "now": micros(now),
    }
    return made if _INSERT_SENTINEL.run(conn, values) == 1 else None


def has_sentinel(conn: Connection, plan: PlanRef) -> bool:
    """Whether the plan's version boundary carries a sentinel."""
    wanted = rules.sentinel_id(plan.strategy_id, plan.version)
    return conn.execute(sa.select(sentinels.c.version).where(sentinels.c.sentinel_id == wanted)).first() is not None


def require_sentinel(conn: Connection, sentinel_id: str) -> Sentinel:
    """One sentinel. Raises NotFound (E_SENTINEL_UNKNOWN)."""
    row = conn.execute(sa.select(sentinels).where(sentinels.c.sentinel_id == sentinel_id)).one_or_none()
    if row is None:
        raise NotFound("E_SENTINEL_UNKNOWN", f"no sentinel {sentinel_id!r}", metadata={"sentinel_id": sentinel_id})
    return sentinel_of(row)


def worlds_of_traffic(conn: Connection, strategy_id: str, version: int) -> list[str]:
    """Worlds whose traffic a change of a version's weight moves; version 0 is the newest. Raises NotFound.

    Those in which any version of the strategy is live, since the versions share the traffic; live nowhere, all this
    one ever was in: without one it would be anybody's.
    """
    of = (plan_contexts.c.strategy_id == strategy_id, plan_contexts.c.released_us.is_(None))
    live = sa.select(plan_contexts.c.world_id).distinct().where(*of).order_by(plan_contexts.c.world_id)
    version = require_plan(conn, strategy_id, version).version
    mine = (plan_contexts.c.strategy_id == strategy_id, plan_contexts.c.version == version)
    ever = sa.select(plan_contexts.c.world_id).distinct().where(*mine).order_by(plan_contexts.c.world_id)
    return list(conn.execute(live).scalars()) or list(conn.execute(ever).scalars())


def worlds_of_sentinel(conn: Connection, sentinel_id: str) -> list[str]:
    """Worlds whose traffic a change of the sentinel moves. Raises NotFound (E_SENTINEL_UNKNOWN)."""
    sentinel = require_sentinel(conn, sentinel_id)
    return worlds_of_traffic(conn, sentinel.strategy_id, sentinel.version)


def lock_sentinels(conn: Connection, strategy_id: str) -> list[Sentinel]:
    """All sentinels of a strategy by version, after any change of them that is under way has been committed."""
    mine = {"id": strategy_id}
    if conn.dialect.name == "postgresql":
        conn.execute(_SENTINELS.with_for_update(), mine).all()  # read again: a row inserted meanwhile shows only then
    return [sentinel_of(row) for row in conn.execute(_SENTINELS, mine)]


def store_weight(conn: Connection, sentinel: Sentinel) -> None:
    """Write a sentinel's weight and revision."""
    conn.execute(
        sa.update(sentinels)
        .where(sentinels.c.sentinel_id == sentinel.sentinel_id)
        .values(traffic_weight=sentinel.traffic_weight, revision=sentinel.revision)
    )


def sentinel_of(row: sa.Row[tuple[object, ...]]) -> Sentinel:
    """A sentinel from its row."""
    return Sentinel(
        sentinel_id=row.sentinel_id,
        strategy_id=row.strategy_id,
        version=row.version,
        commit_hash=row.commit_hash,
        traffic_weight=row.traffic_weight,
        revision=row.revision,
        created_at=instant(row.created_us),
    )


_SENTINELS = sa.select(sentinels).where(sentinels.c.strategy_id == sa.bindparam("id")).order_by(sentinels.c.version)
_INSERT_SENTINEL = Prepared(
    "INSERT INTO sentinels (sentinel_id, strategy_id, version, commit_hash, traffic_weight, revision, created_us) "
    "VALUES (:sentinel_id, :strategy_id, :version, :commit_hash, :traffic_weight, 1, :now) ON CONFLICT DO NOTHING"
)
