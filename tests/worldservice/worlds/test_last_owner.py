"""Two owners of an account that revoke each other at the same moment leave one owner, on either database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from sqlalchemy import Connection

from qmtl.core.errors import NotReady
from qmtl.core.roles import Role
from qmtl.sql.database import Database
from worldservice.worlds.domain.roles import Grant, account_scope, check_revoke
from worldservice.worlds.store import roles

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def revoke(conn: Connection, scope: str, subject: str) -> None:
    check_revoke(roles.grants_of(conn, scope, lock=True), subject)
    roles.delete_grant(conn, scope, subject)


async def test_of_two_owners_who_revoke_each_other_at_once_one_stays(database_url: str) -> None:
    db = Database(database_url)
    await db.migrate("worldservice:migrations")
    try:
        for number in range(20):
            await _race(db, account_scope(f"acc{number}"))
    finally:
        await db.close()


async def _race(db: Database, scope: str) -> None:
    def grant(conn: Connection) -> None:
        for subject in ("ann", "bob"):
            roles.save_grant(conn, Grant(scope, subject, Role.OWNER, "root", NOW))

    await db.write(grant)
    outcomes = await asyncio.gather(
        db.write(lambda conn: revoke(conn, scope, "ann")),
        db.write(lambda conn: revoke(conn, scope, "bob")),
        return_exceptions=True,
    )
    assert len(await db.read(lambda conn: roles.grants_of(conn, scope))) == 1
    assert sum(isinstance(outcome, NotReady) for outcome in outcomes) == 1
