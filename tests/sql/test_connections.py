"""Connections of a PostgreSQL store: which of them is taken, and what they keep."""

from __future__ import annotations

import asyncio
from functools import partial
from threading import Barrier

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

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


@pytest.mark.parametrize("write", [False, True])
async def test_a_column_whose_type_is_altered_is_read_by_who_had_prepared_it(postgres_url: str, write: bool) -> None:
    """Each connection has prepared the statement before: none of them tells of it."""
    db = Database(postgres_url, pool_size=2)
    found, both = Prepared("SELECT n FROM altered"), Barrier(2)

    def read(conn: Connection) -> list[object]:
        return [row.n for row in found.rows(conn).all()]

    async def twice() -> list[list[object]]:
        """From both connections: neither is let go before the other is taken."""
        seen = set[object]()

        def meet(who: int, conn: Connection) -> list[object]:
            if who not in seen:
                seen.add(who)
                both.wait(10)
            return read(conn)

        return list(await asyncio.gather(*(call(partial(meet, who)) for who in range(2))))

    call = db.write if write else db.read
    try:
        await db.write(lambda conn: conn.execute(sa.text("CREATE TABLE altered AS SELECT 7 AS n")))
        assert await twice() == [[7], [7]]
        await db.write(lambda conn: conn.execute(sa.text("ALTER TABLE altered ALTER COLUMN n TYPE text")))
        assert await twice() == [["7"], ["7"]]
    finally:
        await db.close()


async def test_what_a_server_cannot_do_is_not_tried_again(postgres_url: str) -> None:
    """The same kind of error as of an altered column, for another reason."""
    db, tries = Database(postgres_url), list[int]()

    def ask(conn: Connection) -> None:
        tries.append(1)
        conn.execute(sa.text("SELECT pg_typeof(1) FROM pg_class FOR UPDATE OF pg_class NOWAIT LIMIT 1"))
        conn.execute(sa.text("CREATE INDEX ON pg_class USING hash (oid, relname)"))

    try:
        with pytest.raises(DBAPIError):
            await db.write(ask)
        assert tries == [1]
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
