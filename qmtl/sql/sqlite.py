"""SQLite behind Database: WAL, one writer thread with group commit, a few readers."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from qmtl.config.files import private_file, private_folder
from qmtl.core.errors import DataLoss, InvalidRequest, Unavailable, Violation
from qmtl.sql.errors import corrupt, translated
from qmtl.sql.group_commit import GroupWriter
from qmtl.sql.jobs import Job, Threads
from qmtl.sql.locks import LOCK_WAIT_S, Held, try_file_lock
from qmtl.sql.pages import PageCheck
from qmtl.sql.statements.prepared import execute
from qmtl.sql.transactions import Notify, T, Work

SYNCHRONOUS = ("FULL", "NORMAL", "EXTRA")


class SqliteStore:
    """WAL, BEGIN IMMEDIATE for writes, foreign keys on."""

    dialect = "sqlite"

    def __init__(
        self, url: URL, synchronous: str, pending_max: int, pool_size: int, notify: Notify, pages_before_use_max: int
    ) -> None:
        self._path = _sqlite_path(url)
        if synchronous not in SYNCHRONOUS:
            raise InvalidRequest(
                "E_CONFIG",
                f"synchronous is {synchronous!r}",
                violations=[Violation("sqlite_synchronous", synchronous, "one of " + ", ".join(SYNCHRONOUS))],
            )
        pragmas = [
            "PRAGMA journal_mode=WAL",
            f"PRAGMA synchronous={synchronous}",
            "PRAGMA foreign_keys=ON",
            "PRAGMA temp_store=MEMORY",  # else a savepoint that changes 16 pages makes a file of its own
        ]
        self._write_engine = _sqlite_engine(url, "BEGIN IMMEDIATE", pragmas, pool_size=1)
        self._read_engine = _sqlite_engine(url, "BEGIN", [*pragmas, "PRAGMA query_only=ON"], pool_size + 1)
        try:
            private_folder(self._path.parent)
            private_file(self._path)  # SQLite gives -wal and -shm the mode of the database
            self._writer = GroupWriter(self._write_engine, pending_max=pending_max, committed=notify)
        except (OSError, DBAPIError) as error:
            self._write_engine.dispose()
            raise _opening_failed(self._path, error) from error
        self._pages = PageCheck(self._path, self._read_engine, pages_before_use_max)
        self._readers = Threads(min(pool_size, 4), pending_max, "sqlite-reader")
        self._reading = _Reading()
        self._opened: list[Connection] = []

    def submit_write(self, fn: Work[T]) -> asyncio.Future[T]:
        job = Job(fn)
        self._writer.add(job)
        return job.done

    def submit_read(self, fn: Work[T]) -> asyncio.Future[T]:
        job: Job[None, T] = Job(lambda _: self._read(fn))
        self._readers.add(job)
        return job.done

    def _read(self, fn: Work[T]) -> T:
        """On the thread's own connection: to take one from the pool and give it back costs more than a small query."""
        conn = self._reading.conn
        if conn is None:
            conn = self._reading.conn = self._read_engine.connect()
            self._opened.append(conn)
        try:
            with conn.begin():
                return fn(conn)
        except DBAPIError as error:
            self._reading.conn = None  # whatever became of it, the next read begins with another
            self._opened.remove(conn)
            conn.close()
            raise translated(error) from error

    async def exclusively(self, fn: Work[None]) -> None:
        """On the writer's connection: BEGIN IMMEDIATE keeps other processes out until the commit."""
        await self.submit_write(fn)

    def refuse_damage(self) -> None:
        """Read every page, of a large file beside its use: see PageCheck. Raises DataLoss (E_DATABASE_CORRUPT)."""
        self._pages.begin()

    def damage(self) -> str:
        """What was found damaged since, "" for nothing."""
        return self._pages.damage

    def try_lock(self, name: str) -> Held | None:
        return try_file_lock(self._path, name)

    async def in_thread(self, fn: Callable[[], T]) -> T:
        return await asyncio.to_thread(fn)

    def close(self) -> None:
        self._pages.close()
        self._writer.close()
        self._readers.close()
        for conn in self._opened:
            conn.close()
        self._write_engine.dispose()
        self._read_engine.dispose()


class _Reading(threading.local):
    """The connection of a reader's thread."""

    conn: Connection | None = None


def _opening_failed(path: Path, error: OSError | DBAPIError) -> Exception:
    if isinstance(error, DBAPIError) and isinstance(known := translated(error), Unavailable | DataLoss):
        return known if isinstance(known, Unavailable) else corrupt(f"{path}: {error.orig}")
    detail = error.orig if isinstance(error, DBAPIError) else error
    violation = Violation("database_url", str(path), "an SQLite file this process can write")
    return InvalidRequest("E_CONFIG", f"{path} cannot be opened: {detail}", violations=[violation])


def _sqlite_path(url: URL) -> Path:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise InvalidRequest(
            "E_CONFIG",
            f"database url is {url}",
            violations=[Violation("database_url", str(url), "sqlite:///<path of a file>")],
        )
    return Path(url.database)


def _sqlite_engine(url: URL, begin: str, pragmas: list[str], pool_size: int) -> Engine:
    engine = create_engine(
        url, pool_size=pool_size, max_overflow=0, connect_args={"timeout": LOCK_WAIT_S, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def configure(driver: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        driver.isolation_level = None  # we write BEGIN ourselves: the driver's own is deferred
        for pragma in pragmas:
            driver.execute(pragma).close()

    @event.listens_for(engine, "begin")
    def start(conn: Connection) -> None:
        execute(conn, begin).close()

    return engine
