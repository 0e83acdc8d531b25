"""Rows of role grants in worlds."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from qmtl.core.roles import Role
from worldservice.tables import instant, micros
from worldservice.worlds.domain.roles import Grant
from worldservice.worlds.tables import role_grants


def grants_of(conn: Connection, world_id: str) -> list[Grant]:
    return [_grant(row) for row in conn.execute(_GRANTS, {"world": world_id}).mappings()]


def worlds_granted(conn: Connection, subject: str) -> frozenset[str]:
    query = sa.select(role_grants.c.world_id).where(role_grants.c.subject == subject)
    return frozenset(conn.execute(query).scalars())


def save_grant(conn: Connection, grant: Grant) -> None:
    delete_grant(conn, grant.world_id, grant.subject)
    conn.execute(
        sa.insert(role_grants).values(
            world_id=grant.world_id,
            subject=grant.subject,
            role=int(grant.role),
            granted_by=grant.granted_by,
            granted_us=micros(grant.granted_at),
        )
    )


def delete_grant(conn: Connection, world_id: str, subject: str) -> None:
    where = (role_grants.c.world_id == world_id, role_grants.c.subject == subject)
    conn.execute(sa.delete(role_grants).where(*where))


def _grant(row: RowMapping) -> Grant:
    role, granted_at = Role(row["role"]), instant(row["granted_us"])
    return Grant(row["world_id"], row["subject"], role, row["granted_by"], granted_at)


_GRANTS = sa.select(role_grants).where(role_grants.c.world_id == sa.bindparam("world")).order_by(role_grants.c.subject)
