"""Database on SQLite and PostgreSQL: what commits, what is undone, what is refused."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from qmtl.core.errors import DataLoss, Exhausted, InvalidRequest, Unavailable
from qmtl.sql.database import Database, T, open_database, signal
from qmtl.sql.errors import translated
from qmtl.sql.locks import lock_key
from tests.support.processes import python_env


def note(key: str, body: str = "") -> Callable[[Connection], None]:
    def insert(conn: Connection) -> None:
        conn.execute(text("INSERT INTO notes (id, text) VALUES (:id, :text)").bindparams(id=key, text=body))

    return insert


def count(conn: Connection) -> int:
    return int(conn.execute(text("SELECT count(*) FROM notes")).scalar_one())


async def test_a_returned_write_is_seen_by_the_next_read(db: Database) -> None:
    for i in range(5):
        await db.write(note(str(i)))
        assert await db.read(count) == i + 1


async def test_a_failing_fn_is_undone_alone(db: Database) -> None:
    def half(conn: Connection) -> None:
        note("half")(conn)
        raise LookupError("midway")

    writes = [db.write(note(str(i))) for i in range(50)]
    results = await asyncio.gather(
        *writes,
        db.write(half),
        db.write(note("7")),
        db.write(note("last")),
        return_exceptions=True,
    )
    failed = [type(result) for result in results if isinstance(result, BaseException)]
    assert failed == [LookupError, IntegrityError]
    assert await db.read(count) == 51


async def test_concurrent_read_modify_write_loses_nothing(db: Database) -> None:
    await db.write(note("n", "0"))

    def add(conn: Connection) -> None:
        lock = " FOR UPDATE" if conn.dialect.name == "postgresql" else ""
        seen = int(conn.execute(text(f"SELECT text FROM notes WHERE id = 'n'{lock}")).scalar_one())
        conn.execute(text("UPDATE notes SET text = :n").bindparams(n=str(seen + 1)))

    await asyncio.gather(*(db.write(add) for _ in range(100)))
    assert await db.read(lambda conn: conn.execute(text("SELECT text FROM notes")).scalar_one()) == "100"


async def test_reads_cannot_write(db: Database) -> None:
    with pytest.raises(Exception, match=r"read-?only"):
        await db.read(note("x"))


async def test_reads_that_fail_leave_the_next_as_they_were(db: Database) -> None:
    """As many as there are threads for reads: each has a connection of its own."""
    for _ in range(10):
        with pytest.raises(Exception, match="absent"):
            await db.read(lambda conn: conn.execute(text("SELECT * FROM absent")))
    await db.write(note("x"))
    assert await asyncio.gather(*(db.read(count) for _ in range(10))) == [1] * 10


async def test_signals_arrive_after_the_commit_and_not_after_a_failure(db: Database) -> None:
    heard = asyncio.Event()
    db.on_signal("notes", heard.set)

    def fails(conn: Connection) -> None:
        signal(conn, "other")
        raise LookupError

    with pytest.raises(LookupError):
        await db.write(fails)
    assert not heard.is_set()
    await db.write(lambda conn: signal(conn, "notes"))
    await asyncio.wait_for(heard.wait(), 5)


async def test_a_deadlock_is_retried(postgres_url: str, migrations: str) -> None:
    db = Database(postgres_url)
    await db.migrate(migrations)
    await db.write(lambda conn: [note(key, "0")(conn) for key in "ab"])
    meet = threading.Barrier(2, timeout=5)
    tries = {"ab": 0, "ba": 0}

    def cross(order: str, conn: Connection) -> None:
        tries[order] += 1
        for key in order:
            conn.execute(text("UPDATE notes SET text = text || 'x' WHERE id = :id").bindparams(id=key))
            if tries[order] == 1 and key == order[0]:
                meet.wait()

    await asyncio.gather(*(db.write(partial(cross, order)) for order in tries))
    assert max(tries.values()) >= 2
    assert await db.read(lambda conn: conn.execute(text("SELECT text FROM notes")).scalars().all()) == ["0xx", "0xx"]
    await db.close()


async def test_writes_beyond_the_limit_are_refused(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'small.db'}", pending_max=2)
    release = threading.Event()
    started = threading.Event()

    def block(_: Connection) -> None:
        started.set()
        release.wait(10)

    blocked = asyncio.create_task(db.write(block))
    await asyncio.to_thread(started.wait, 5)
    waiting = [asyncio.create_task(db.write(lambda _: None)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Exhausted, match="E_DATABASE_BUSY"):
        await db.write(lambda _: None)
    release.set()
    await asyncio.gather(blocked, *waiting)
    await db.close()


@dataclass
class StartingService:
    """A service at its start: what a call needs is put right once it was refused."""

    database_url: str
    put_right: Callable[[], object]
    sqlite_synchronous: str = ""
    service: str = "dagmanager"
    refusals: list[str] = field(default_factory=list)
    watched: list[str] = field(default_factory=list)

    @property
    def settings(self) -> StartingService:
        return self

    async def patiently(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        try:
            return await call()
        except Unavailable as error:
            self.refusals.append(f"{name}: {error.reason}")
            self.put_right()
            return await call()

    def watch(self, name: str, check: Callable[[], Awaitable[str]], *, vital: bool = False) -> None:
        self.watched.append(name)


async def test_a_store_that_cannot_be_opened_yet_is_waited_for(tmp_path: Path) -> None:
    in_the_way = tmp_path / "early.db-wal"
    in_the_way.mkdir()
    service = StartingService(f"sqlite:///{tmp_path / 'early.db'}", in_the_way.rmdir)
    async with open_database(service) as db:
        assert await db.check() == ""
    assert (service.refusals, service.watched) == (["store: E_DATABASE_UNAVAILABLE"], ["store"])


def test_what_the_driver_itself_says_is_translated_as_what_comes_through_sqlalchemy(tmp_path: Path) -> None:
    path = tmp_path / "locked.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as one, closing(sqlite3.connect(path, 0)) as other:
        one.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError) as busy:
            other.execute("CREATE TABLE t (a)")
        with pytest.raises(sqlite3.OperationalError) as wrong:
            other.execute("RELEASE nothing")
    path.write_bytes(b"no database" * 100)
    with closing(sqlite3.connect(path)) as broken, pytest.raises(sqlite3.DatabaseError) as damaged:
        broken.execute("SELECT * FROM sqlite_master")
    assert isinstance(translated(busy.value), Unavailable)
    assert isinstance(translated(damaged.value), DataLoss)
    assert translated(wrong.value) is wrong.value


async def test_work_whose_savepoint_is_gone_fails_alone(tmp_path: Path) -> None:
    """The next work of the writer, of the same group and after it, finds no trace of it."""
    started, release = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        started.set()
        release.wait(10)

    def leave(conn: Connection) -> None:
        conn.exec_driver_sql("RELEASE qmtl_job")

    db = Database(f"sqlite:///{tmp_path / 'left.db'}")
    await db.write(lambda conn: conn.execute(text("CREATE TABLE notes (id, text)")))
    holding = asyncio.create_task(db.write(hold))
    await asyncio.to_thread(started.wait, 5)
    leaving, beside = (asyncio.create_task(db.write(work)) for work in (leave, note("beside")))
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(holding, beside)
    with pytest.raises(sqlite3.OperationalError, match="no such savepoint"):
        await leaving
    await db.write(note("after"))
    assert await db.read(count) == 2
    await db.close()


async def test_work_that_is_alone_is_undone_whole(db: Database) -> None:
    def half(conn: Connection) -> None:
        note("half")(conn)
        signal(conn, "half")
        raise LookupError("midway")

    heard: list[str] = []
    db.on_signal("half", lambda: heard.append("half"))
    with pytest.raises(LookupError):
        await db.write(half)
    await db.write(note("after"))
    assert (await db.read(count), heard) == (1, [])


async def test_a_caller_that_leaves_before_its_turn_is_not_served_and_holds_up_nobody(db: Database) -> None:
    release = threading.Event()
    holding = [asyncio.create_task(db.write(lambda _: release.wait(10))) for _ in range(8)]
    await asyncio.sleep(0)
    left = [asyncio.create_task(db.write(note(f"left {i}"))) for i in range(3)]
    await asyncio.sleep(0)
    for task in left:
        task.cancel()
    await asyncio.sleep(0)
    after = asyncio.create_task(db.write(note("after")))
    release.set()
    await asyncio.gather(*holding, after)
    assert await db.read(count) == 1


async def test_a_closed_database_says_so(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'closed.db'}")
    await db.close()
    for call in (db.write, db.read):
        with pytest.raises(Unavailable, match="E_DATABASE_CLOSED"):
            await call(lambda _: None)


async def test_close_finishes_what_was_accepted(tmp_path: Path, migrations: str) -> None:
    url = f"sqlite:///{tmp_path / 'drain.db'}"
    db = Database(url)
    await db.migrate(migrations)
    writes = [asyncio.create_task(db.write(note(str(i)))) for i in range(300)]
    await asyncio.sleep(0)
    await db.close()
    await asyncio.gather(*writes)
    again = Database(url)
    assert await again.read(count) == 300
    await again.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y"])
def test_unsupported_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="E_CONFIG"):
        Database(url)


@pytest.mark.parametrize("kind", ["folder", "below a file"])
def test_a_file_that_cannot_be_a_database_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "store.db"
    if kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(InvalidRequest, match=r"E_CONFIG.*store\.db"):
        Database(f"sqlite:///{path / 'x.db' if kind == 'below a file' else path}")


async def test_postgres_down_is_unavailable() -> None:
    db = Database("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    with pytest.raises(Unavailable, match="E_DATABASE_UNAVAILABLE"):
        await db.write(lambda _: None)
    await db.close()


async def test_two_processes_migrate_together(database_url: str, migrations: str) -> None:
    program = (
        "import asyncio, sys\n"
        "from qmtl.sql.database import Database\n"
        "async def main():\n"
        "    db = Database(sys.argv[1]); await db.migrate(sys.argv[2]); await db.close()\n"
        "asyncio.run(main())\n"
    )
    args = [sys.executable, "-c", program, database_url, migrations]
    both = [await asyncio.create_subprocess_exec(*args, env=python_env(), stderr=subprocess.PIPE) for _ in range(2)]
    errors = [await process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    db = Database(database_url)
    await db.migrate(migrations)
    assert await db.read(count) == 0
    await db.close()


async def test_a_migration_waits_for_one_under_way(postgres_url: str, migrations: str) -> None:
    first, second = Database(postgres_url), Database(postgres_url)
    entered, release = threading.Event(), threading.Event()

    def under_way(conn: Connection) -> None:
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)").bindparams(key=lock_key("qmtl.migrate")))
        entered.set()
        release.wait(20)

    holding = asyncio.create_task(first.write(under_way))
    await asyncio.to_thread(entered.wait, 10)
    migrating = asyncio.create_task(second.migrate(migrations))
    await asyncio.wait([migrating], timeout=0.5)
    assert not migrating.done()
    release.set()
    await asyncio.gather(holding, migrating)
    assert await first.read(count) == 0
    await first.close()
    await second.close()


async def test_a_failing_migration_leaves_nothing(db: Database, tmp_path: Path, migrations: str) -> None:
    broken = Path(migrations) / "versions" / "0002_broken.py"
    broken.write_text(
        "from alembic import op\nrevision = '0002'\ndown_revision = '0001'\n"
        "def upgrade():\n    op.execute('CREATE TABLE half (id INTEGER)')\n    op.execute('nonsense')\n"
    )
    with pytest.raises(Exception, match="nonsense"):
        await db.migrate(migrations)
    broken.write_text(broken.read_text().replace("    op.execute('nonsense')\n", ""))
    await db.migrate(migrations)
    assert await db.read(lambda conn: conn.execute(text("SELECT count(*) FROM half")).scalar_one()) == 0


async def test_a_singleton_job_has_one_holder_and_a_new_one_after_release(db: Database, database_url: str) -> None:
    other = Database(database_url)
    held = await db.try_lock("job")
    assert held is not None
    assert held.alive()
    assert await other.try_lock("job") is None
    elsewhere = await other.try_lock("another job")
    assert elsewhere is not None
    elsewhere.release()
    held.release()
    assert not held.alive()
    taken = await other.try_lock("job")
    assert taken is not None
    taken.release()
    await other.close()


async def test_a_released_lock_is_free_at_once(postgres_url: str) -> None:
    """A server frees the locks of a session that is merely closed once it notices; under load that takes long."""
    db = Database(postgres_url)
    held_locks = text("""SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
        WHERE locktype = 'advisory' AND datname = current_database()""")
    for _ in range(50):
        held = await db.try_lock("job")
        assert held is not None
        held.release()
        assert await db.read(lambda conn: conn.execute(held_locks).scalar_one()) == 0
    await db.close()


async def test_a_read_sees_one_snapshot_and_the_write_after_it_on_its_connection_is_not_bound_by_it(
    database_url: str, migrations: str
) -> None:
    db = Database(database_url, pool_size=1)
    other = Database(database_url)
    try:
        await db.migrate(migrations)
        await db.write(note("1", "a"))
        loop = asyncio.get_running_loop()

        def twice(conn: Connection) -> tuple[int, int]:
            before = count(conn)
            asyncio.run_coroutine_threadsafe(other.write(note("2", "b")), loop).result(10)
            return before, count(conn)

        assert await db.read(twice) == (1, 1)
        await db.write(note("3", "c"))
        assert await db.read(count) == 3
    finally:
        await other.close()
        await db.close()
