"""Rows of policy versions, and the compiled policy of a world."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection, RowMapping

from qmtl.core.errors import InvalidRequest, NotFound
from qmtl.core.paging import Page
from qmtl.sql.instants import instant, instant_or_none, micros, micros_or_none
from qmtl.sql.statements.prepared import Prepared
from worldservice.policy.domain.policy import Policy, parse_policy
from worldservice.policy.domain.versions import PolicyRecord, PolicyStatus
from worldservice.policy.tables import policies
from worldservice.worlds.domain.world import World

log = structlog.stdlib.get_logger("qmtl.worldservice.policy")
_POLICY = Prepared(
    sa.select(policies).where(
        policies.c.world_id == sa.bindparam("world"), policies.c.version == sa.bindparam("version")
    )
)
compiled = lru_cache(maxsize=256)(parse_policy)  # by document, which a version never changes


def policy_of(conn: Connection, world: World) -> Policy | None:
    """The world's policy compiled; None: none is set, or what is stored cannot be read."""
    if world.default_policy_version == 0:
        return None
    record = get_policy(conn, world.world_id, world.default_policy_version)
    try:
        return compiled(record.document)
    except InvalidRequest as error:  # accepted by an older build: nothing may trade on what is not understood
        log.error("policy_unreadable", world=world.world_id, version=record.version, error=str(error))
        return None


VERSION_MAX = 2**31 - 1


def find_policy(conn: Connection, world_id: str, version: int) -> PolicyRecord | None:
    """A version, or None."""
    if version > VERSION_MAX:
        return None
    row = _POLICY.rows(conn, {"world": world_id, "version": version}).mappings().one_or_none()
    return None if row is None else _policy(row)


def get_policy(conn: Connection, world_id: str, version: int) -> PolicyRecord:
    """A version. Raises NotFound (E_POLICY_UNKNOWN)."""
    found = find_policy(conn, world_id, version)
    if found is None:
        raise NotFound("E_POLICY_UNKNOWN", f"world {world_id} has no policy version {version}")
    return found


def find_policy_by_checksum(conn: Connection, world_id: str, checksum: str) -> PolicyRecord | None:
    """The version with the same content, or None."""
    where = (policies.c.world_id == world_id, policies.c.checksum == checksum)
    row = conn.execute(sa.select(policies).where(*where)).mappings().one_or_none()
    return None if row is None else _policy(row)


def list_policies(conn: Connection, world_id: str, page: Page[tuple[int]]) -> list[PolicyRecord]:
    """Newest first; `after` is the last version seen."""
    query = sa.select(policies).where(policies.c.world_id == world_id).order_by(policies.c.version.desc())
    if page.after is not None:
        query = query.where(policies.c.version < min(page.after[0], VERSION_MAX))
    return [_policy(row) for row in conn.execute(query.limit(page.size + 1)).mappings()]


def next_policy_version(conn: Connection, world_id: str) -> int:
    """The number the next version gets."""
    newest = sa.select(sa.func.max(policies.c.version)).where(policies.c.world_id == world_id)
    return int(conn.execute(newest).scalar_one_or_none() or 0) + 1


def insert_policy(conn: Connection, record: PolicyRecord) -> None:
    """Add a version; it never changes."""
    conn.execute(
        sa.insert(policies).values(
            world_id=record.world_id,
            version=record.version,
            document=record.document,
            checksum=record.checksum,
            status=record.status.value,
            created_by=record.created_by,
            created_us=micros(record.created_at),
            valid_from_us=micros_or_none(record.valid_from),
        )
    )


def activate_policy(conn: Connection, world_id: str, version: int, now: datetime) -> None:
    """Make one version ACTIVE and the one that was DEPRECATED."""
    mine = policies.c.world_id == world_id
    was_active = (mine, policies.c.status == PolicyStatus.ACTIVE.value, policies.c.version != version)
    conn.execute(sa.update(policies).where(*was_active).values(status=PolicyStatus.DEPRECATED.value))
    active = {"status": PolicyStatus.ACTIVE.value, "valid_from_us": micros(now)}
    conn.execute(sa.update(policies).where(mine, policies.c.version == version).values(**active))


def _policy(row: RowMapping) -> PolicyRecord:
    return PolicyRecord(
        world_id=row["world_id"],
        version=row["version"],
        document=row["document"],
        checksum=row["checksum"],
        status=PolicyStatus(row["status"]),
        created_by=row["created_by"],
        created_at=instant(row["created_us"]),
        valid_from=instant_or_none(row["valid_from_us"]),
    )
