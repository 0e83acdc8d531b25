"""Rows of role grants in worlds and accounts."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from qmtl.core.roles import Role
from qmtl.sql.instants import instant, micros
from qmtl.sql.statements.prepared import Prepared
from worldservice.worlds.domain.roles import Grant, world_scope
from worldservice.worlds.tables import role_grants


def grants_of(conn: Connection, scope: str, *, lock: bool = False) -> list[Grant]:
    """Grants of a scope, by subject; locked, they stay as they are until this transaction ends."""
    return [_grant(row) for row in (_LOCK_GRANTS if lock else _GRANTS).rows(conn, {"scope": scope}).mappings()]


def worlds_granted(conn: Connection, subject: str) -> frozenset[str]:
    """Worlds that a subject has a role in by grant."""
    query = sa.select(role_grants.c.scope).where(role_grants.c.subject == subject)
    prefix = world_scope("")
    return frozenset(scope.removeprefix(prefix) for scope in conn.execute(query).scalars() if scope.startswith(prefix))


def save_grant(conn: Connection, grant: Grant) -> None:
    """Write a grant over the one that its subject has in the scope, if any."""
    delete_grant(conn, grant.scope, grant.subject)
    conn.execute(
        sa.insert(role_grants).values(
            scope=grant.scope,
            subject=grant.subject,
            role=int(grant.role),
            granted_by=grant.granted_by,
            granted_us=micros(grant.granted_at),
        )
    )


def delete_grant(conn: Connection, scope: str, subject: str) -> None:
    """Forget what a subject was granted in a scope; what was not granted is no error."""
    where = (role_grants.c.scope == scope, role_grants.c.subject == subject)
    conn.execute(sa.delete(role_grants).where(*where))


def _grant(row: RowMapping) -> Grant:
    role, granted_at = Role(row["role"]), instant(row["granted_us"])
    return Grant(row["scope"], row["subject"], role, row["granted_by"], granted_at)


_OF_SCOPE = sa.select(role_grants).where(role_grants.c.scope == sa.bindparam("scope")).order_by(role_grants.c.subject)
_GRANTS, _LOCK_GRANTS = Prepared(_OF_SCOPE), Prepared(_OF_SCOPE.with_for_update())
