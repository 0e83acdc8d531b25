"""Transactions of PostgreSQL as pipelines: how often they wait, and that errors are those of waiting each time."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from qmtl.core.errors import Unavailable
from qmtl.sql.database import Database
from qmtl.sql.statements.pipeline import hear
from qmtl.sql.statements.prepared import Prepared
from tests.support.round_trips import RoundTrips, counted_trips
from tests.support.waiting import eventually

METADATA = sa.MetaData()
NOTES = sa.Table(
    "notes",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("n", sa.Integer),
    sa.Column("body", sa.Text),
)
ADD = Prepared(sa.insert(NOTES))
RAISE = Prepared("UPDATE notes SET n = n + 1 WHERE id = :id")
OF = Prepared(sa.select(NOTES.c.n).where(NOTES.c.id == sa.bindparam("of")))
COUNT = sa.select(sa.func.count()).select_from(NOTES)
END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url)
    await made.write(METADATA.create_all)
    yield made
    await made.close()


@pytest.fixture
async def far(postgres_url: str) -> AsyncIterator[tuple[Database, RoundTrips]]:
    async with counted_trips(postgres_url) as trips:
        made = Database(trips.url, pool_size=1)
        await made.write(METADATA.create_all)
        yield made, trips
        await made.close()


async def count(db: Database) -> int:
    return int(await db.read(lambda conn: conn.execute(COUNT).scalar_one()))


async def test_what_is_sent_leaves_with_the_commit(far: tuple[Database, RoundTrips]) -> None:
    db, trips = far

    def add(conn: Connection) -> None:
        ADD.send(conn, {"id": "a", "n": 1})
        ADD.send_each(conn, [{"id": f"b{n}", "n": n} for n in range(20)])
        RAISE.send(conn, {"id": "a"})

    before = trips.count
    await db.write(add)
    assert trips.count - before == 1
    assert await count(db) == 21


async def test_what_is_asked_is_answered_together(far: tuple[Database, RoundTrips]) -> None:
    db, trips = far

    def ask(conn: Connection) -> list[int]:
        ADD.send_each(conn, [{"id": each, "n": 1} for each in "abc"])
        RAISE.send(conn, {"id": "b"})
        return [answer.rows().scalar_one() for answer in [OF.ask(conn, {"of": each}) for each in "abc"]]

    before = trips.count
    assert await db.write(ask) == [1, 2, 1]
    assert trips.count - before == 2  # the answers, the commit


async def test_a_statement_of_sqlalchemy_waits_for_its_answer_and_for_no_begin(
    far: tuple[Database, RoundTrips],
) -> None:
    db, trips = far
    before = trips.count
    assert await count(db) == 0
    await eventually(lambda: trips.count - before == 2)  # a read's end is sent and not waited for


@pytest.mark.parametrize("after", range(3))
async def test_an_error_that_is_heard_at_the_commit_is_that_of_the_statement(db: Database, after: int) -> None:
    """Whatever came after it; and nothing of its transaction is there."""
    await db.write(lambda conn: ADD.run(conn, {"id": "a", "n": 0}))

    def twice(conn: Connection) -> None:
        ADD.send(conn, {"id": "b", "n": 0})
        ADD.send(conn, {"id": "a", "n": 0})
        for number in range(after):
            ADD.send(conn, {"id": f"c{number}", "n": 0})

    for _ in range(5):
        with pytest.raises(IntegrityError):
            await db.write(twice)
    assert await count(db) == 1


async def test_an_error_is_heard_with_the_next_answer(db: Database) -> None:
    def twice(conn: Connection) -> None:
        ADD.send_each(conn, [{"id": "a", "n": 0}, {"id": "a", "n": 1}])
        OF.rows(conn, {"of": "a"})
        raise AssertionError("it is there")

    with pytest.raises(IntegrityError):
        await db.write(twice)

    def then_asks_sqlalchemy(conn: Connection) -> None:
        ADD.send_each(conn, [{"id": "a", "n": 0}] * 2)
        conn.execute(COUNT)
        raise AssertionError("it is there")

    with pytest.raises(IntegrityError):
        await db.write(then_asks_sqlalchemy)
    assert await count(db) == 0


async def test_what_was_sent_fails_before_what_is_raised_later(db: Database) -> None:
    def work(conn: Connection) -> None:
        ADD.send_each(conn, [{"id": "a", "n": 0}] * 2)
        raise LookupError

    with pytest.raises(IntegrityError):
        await db.write(work)


async def test_a_savepoint_undoes_what_failed_in_it(db: Database) -> None:
    def work(conn: Connection) -> None:
        ADD.send(conn, {"id": "a", "n": 0})
        with suppress(IntegrityError), conn.begin_nested():
            ADD.send(conn, {"id": "b", "n": 0})
            ADD.send(conn, {"id": "a", "n": 0})
            hear(conn)
        ADD.send(conn, {"id": "c", "n": 0})

    await db.write(work)
    found = await db.read(lambda conn: conn.execute(sa.select(NOTES.c.id).order_by(NOTES.c.id)).scalars().all())
    assert found == ["a", "c"]


@pytest.mark.parametrize("several", [False, True])
async def test_what_runs_behind_a_savepoint_that_was_undone_is_prepared_for_good(db: Database, several: bool) -> None:
    def add(conn: Connection, start: int) -> None:
        with suppress(IntegrityError), conn.begin_nested():
            ADD.send_each(conn, [{"id": "same", "n": 1}] * 2)
            hear(conn)
        rows = [{"id": f"{start}-{n}", "n": n} for n in range(1 + several)]
        ADD.send_each(conn, rows)
        ADD.send_each(conn, [{**row, "id": f"{row['id']}-again"} for row in rows])
        RAISE.send(conn, {"id": f"{start}-0"})

    for start in range(3):
        await db.write(partial(add, start=start))
    assert await count(db) == 3 * 2 * (1 + several)


@pytest.mark.parametrize(
    "change", ["\nALTER TABLE notes ADD COLUMN more int", "-- later\nalter table notes add column z int"]
)
async def test_what_runs_behind_a_change_of_tables_is_prepared_for_good(db: Database, change: str) -> None:
    def work(conn: Connection) -> None:
        ADD.send(conn, {"id": "a", "n": 1})
        conn.execute(text(change))
        ADD.send(conn, {"id": "b", "n": 1})
        ADD.send(conn, {"id": "c", "n": 1})

    await db.write(work)
    assert await count(db) == 3


@pytest.mark.parametrize("prepared", [False, True])
async def test_a_transaction_whose_error_was_passed_over_is_not_said_to_be_done(
    postgres_url: str, prepared: bool
) -> None:
    """PostgreSQL undoes it and answers COMMIT with ROLLBACK, which is no error to a driver."""
    db = Database(postgres_url)
    await db.write(METADATA.create_all)

    def work(conn: Connection) -> None:
        ADD.send(conn, {"id": "a", "n": 0})
        with suppress(IntegrityError):
            if prepared:
                ADD.run(conn, {"id": "a", "n": 0})
            else:
                conn.execute(sa.insert(NOTES).values(id="a"))

    with pytest.raises(DBAPIError, match="not with COMMIT"):
        await db.write(work)
    assert await count(db) == 0
    await db.close()


@pytest.mark.parametrize("hears", ["at the commit", "prepared", "of SQLAlchemy"])
async def test_a_connection_that_ends_in_a_pipeline_is_an_outage(
    postgres_url: str, hears: str, caplog: pytest.LogCaptureFixture
) -> None:
    db, other = Database(postgres_url, pool_size=1), Database(postgres_url, pool_size=1)
    await db.write(METADATA.create_all)
    begun, ended = threading.Event(), threading.Event()

    def work(conn: Connection) -> None:
        ADD.run(conn, {"id": "a", "n": 0})
        begun.set()
        ended.wait(20)
        ADD.send(conn, {"id": "b", "n": 0})
        if hears == "prepared":
            OF.rows(conn, {"of": "a"})
        elif hears == "of SQLAlchemy":
            conn.execute(COUNT)

    writing = asyncio.create_task(db.write(work))
    await asyncio.to_thread(begun.wait, 20)
    await other.read(lambda conn: conn.execute(END))
    ended.set()
    with pytest.raises(Unavailable, match="E_DATABASE_UNAVAILABLE"):
        await writing
    await db.write(lambda conn: ADD.send(conn, {"id": "c", "n": 0}))
    assert await count(db) == 1
    await db.close()
    await other.close()
    gc.collect()
    assert [record for record in caplog.records if record.name.startswith("psycopg")] == []


async def test_a_deadlock_that_is_heard_late_is_retried(postgres_url: str) -> None:
    db = Database(postgres_url)
    await db.write(METADATA.create_all)
    await db.write(lambda conn: ADD.send_each(conn, [{"id": each, "n": 0} for each in "ab"]))
    meet = threading.Barrier(2, timeout=20)
    tries = {"ab": 0, "ba": 0}

    def cross(order: str, conn: Connection) -> None:
        tries[order] += 1
        RAISE.run(conn, {"id": order[0]})
        if tries[order] == 1:
            meet.wait()
        RAISE.send(conn, {"id": order[1]})

    await asyncio.gather(*(db.write(partial(cross, order)) for order in tries))
    assert max(tries.values()) >= 2
    assert await db.read(lambda conn: conn.execute(sa.select(NOTES.c.n)).scalars().all()) == [2, 2]
    await db.close()


async def test_rows_in_portions_within_a_transaction_that_sent_before(db: Database) -> None:
    def work(conn: Connection) -> list[str]:
        ADD.send_each(conn, [{"id": f"{n:02}", "n": n} for n in range(30)])
        query = sa.select(NOTES.c.id).order_by(NOTES.c.id)
        found = list(conn.execute(query, execution_options={"yield_per": 7}).scalars())
        ADD.send(conn, {"id": "last", "n": 0})
        return found

    assert await db.write(work) == [f"{n:02}" for n in range(30)]
    assert await count(db) == 31


async def test_more_than_a_socket_holds_is_sent(db: Database) -> None:
    def long(numbers: range) -> list[dict[str, object]]:
        return [{"id": str(n), "n": n, "body": str(n) * 900_000} for n in numbers]

    def work(conn: Connection) -> list[int]:
        ADD.send_each(conn, long(range(3)))
        answers = [OF.ask(conn, {"of": str(n)}) for n in range(3)]
        ADD.send_each(conn, long(range(3, 6)))
        return [answer.rows().scalar_one() for answer in answers]

    assert await db.write(work) == [0, 1, 2]
    with pytest.raises(IntegrityError):
        await db.write(work)
    assert await count(db) == 6
