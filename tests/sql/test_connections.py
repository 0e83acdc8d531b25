"""Connections of a PostgreSQL store: which of them is taken, and what they keep."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from qmtl.sql.database import Database
from qmtl.sql.statements.prepared import Prepared

ONE = Prepared("SELECT 1 AS one")
KEPT = sa.text("SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 1 AS one'")
SESSIONS = sa.text("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")


async def test_a_statement_is_prepared_when_it_first_runs_and_the_next_work_finds_it(postgres_url: str) -> None:
    db = Database(postgres_url, pool_size=3)

    def several(conn: Connection) -> int:
        return int(conn.execute(KEPT).scalar_one())

    try:
        await db.read(several)
        await db.write(lambda conn: ONE.rows(conn).all())
        assert [await db.read(several) for _ in range(3)] == [1, 1, 1]
    finally:
        await db.close()


async def test_who_stands_by_for_a_lock_asks_on_one_connection(postgres_url: str) -> None:
    db, other = Database(postgres_url), Database(postgres_url)

    async def sessions() -> set[int]:
        return set(await db.read(lambda conn: conn.execute(SESSIONS).scalars().all()))

    try:
        held = await db.try_lock("job")
        assert held is not None
        assert await other.try_lock("job") is None
        before = await sessions()
        for _ in range(3):
            assert await other.try_lock("job") is None
            assert await sessions() == before
        held.release()
        taken = await other.try_lock("job")
        assert taken is not None
        taken.release()
    finally:
        await other.close()
        await db.close()
