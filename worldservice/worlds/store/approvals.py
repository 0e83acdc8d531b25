"""Rows of approvals to go live, one per strategy and world."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from qmtl.sql.instants import instant, instant_or_none, micros, micros_or_none
from qmtl.sql.statements.prepared import Prepared
from worldservice.worlds.domain.binding import Approval
from worldservice.worlds.tables import live_approvals


def save_approval(conn: Connection, approval: Approval) -> None:
    """One per strategy; approving again replaces it, the audit log keeps both."""
    where = (live_approvals.c.world_id == approval.world_id, live_approvals.c.strategy_id == approval.strategy_id)
    conn.execute(sa.delete(live_approvals).where(*where))
    conn.execute(
        sa.insert(live_approvals).values(
            world_id=approval.world_id,
            strategy_id=approval.strategy_id,
            approved_by=approval.approved_by,
            reason=approval.reason,
            approved_us=micros(approval.approved_at),
            expires_us=micros_or_none(approval.expires_at),
            revoked_us=micros_or_none(approval.revoked_at),
            policy_version=approval.policy_version,
        )
    )


def find_approval(conn: Connection, world_id: str, strategy_id: str) -> Approval | None:
    """The approval of a strategy, holding or not, or None."""
    where = (live_approvals.c.world_id == world_id, live_approvals.c.strategy_id == strategy_id)
    row = conn.execute(sa.select(live_approvals).where(*where)).mappings().one_or_none()
    return None if row is None else _approval(row)


def approvals_of(conn: Connection, world_id: str) -> Mapping[str, Approval]:
    """Every approval of a world, holding or not, by strategy."""
    rows = _OF_WORLD.rows(conn, {"world": world_id}).mappings()
    return {found.strategy_id: found for found in map(_approval, rows)}


def approved(conn: Connection, world_id: str, now: datetime, policy_version: int) -> frozenset[str]:
    """Strategies with an approval that holds now, under the policy version that is the default."""
    return frozenset(name for name, found in approvals_of(conn, world_id).items() if found.holds(now, policy_version))


def _approval(row: RowMapping) -> Approval:
    return Approval(
        world_id=row["world_id"],
        strategy_id=row["strategy_id"],
        approved_by=row["approved_by"],
        reason=row["reason"],
        approved_at=instant(row["approved_us"]),
        expires_at=instant_or_none(row["expires_us"]),
        revoked_at=instant_or_none(row["revoked_us"]),
        policy_version=row["policy_version"],
    )


_OF_WORLD = Prepared(sa.select(live_approvals).where(live_approvals.c.world_id == sa.bindparam("world")))
