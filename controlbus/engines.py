"""The two kinds of store behind Database: SQLite with one writer, PostgreSQL with a bounded pool.

Both refuse work beyond `pending_max` with Exhausted and turn "locked, full, gone" into Unavailable, so that a
caller may try again; any other SQL error is a bug and stays what it is.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from controlbus.locks import Held, lock_key, try_file_lock, try_session_lock
from controlbus.sqlerrors import AGAIN_STATES, sqlstate, translated
from controlbus.writer import GroupWriter, raised_signals
from qmtl.core.errors import Exhausted, InvalidRequest, Unavailable, Violation

T = TypeVar("T")
Work = Callable[[Connection], T]
Notify = Callable[[set[str]], None]

SYNCHRONOUS = ("FULL", "NORMAL", "EXTRA")
LOCK_WAIT_S = 20.0
DEADLOCK_TRIES = 5
DEADLOCK_PAUSE_S = 0.02


class BoundedPool:
    """A thread pool whose queue has a limit."""

    def __init__(self, workers: int, pending_max: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(max_workers=workers, thread_name_prefix=name)
        self._slots = threading.BoundedSemaphore(pending_max)
        self._pending_max = pending_max

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Raises Exhausted at the limit and Unavailable after close."""
        if not self._slots.acquire(blocking=False):
            raise Exhausted(
                "DATABASE_BUSY", f"{self._pending_max} database calls are waiting already", retry_after_s=0.2
            )
        try:
            done = self._threads.submit(work)
        except RuntimeError:
            self._slots.release()
            raise Unavailable("DATABASE_CLOSED", "the database is closed") from None
        done.add_done_callback(lambda _: self._slots.release())
        return done

    def close(self) -> None:
        self._threads.shutdown(wait=True)


class SqliteStore:
    """WAL, BEGIN IMMEDIATE for writes, foreign keys on."""

    dialect = "sqlite"

    def __init__(self, url: URL, synchronous: str, pending_max: int, pool_size: int, notify: Notify) -> None:
        self._path = _sqlite_path(url)
        if synchronous not in SYNCHRONOUS:
            raise InvalidRequest(
                "E_CONFIG",
                f"synchronous is {synchronous!r}",
                violations=[Violation("sqlite_synchronous", synchronous, "one of " + ", ".join(SYNCHRONOUS))],
            )
        pragmas = ["PRAGMA journal_mode=WAL", f"PRAGMA synchronous={synchronous}", "PRAGMA foreign_keys=ON"]
        self._write_engine = _sqlite_engine(url, "BEGIN IMMEDIATE", pragmas, pool_size=1)
        self._read_engine = _sqlite_engine(url, "BEGIN", [*pragmas, "PRAGMA query_only=ON"], pool_size)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = GroupWriter(self._write_engine, pending_max=pending_max, committed=notify)
        except (OSError, DBAPIError) as error:
            self._write_engine.dispose()
            raise _opening_failed(self._path, error) from error
        self._readers = BoundedPool(min(pool_size, 4), pending_max, "sqlite-reader")

    def submit_write(self, fn: Work[T]) -> Future[T]:
        return self._writer.submit(fn)

    def submit_read(self, fn: Work[T]) -> Future[T]:
        return self._readers.submit(lambda: _run_read(self._read_engine, fn))

    def exclusively(self, fn: Work[None]) -> None:
        """On the writer's connection: BEGIN IMMEDIATE keeps other processes out until the commit."""
        self._writer.submit(fn).result()

    def try_lock(self, name: str) -> Held | None:
        return try_file_lock(self._path, name)

    async def in_thread(self, fn: Callable[[], T]) -> T:
        return await asyncio.to_thread(fn)

    def close(self) -> None:
        self._writer.close()
        self._readers.close()
        self._write_engine.dispose()
        self._read_engine.dispose()


class PostgresStore:
    """READ COMMITTED transactions on a pool of threads, each retried after a deadlock."""

    dialect = "postgresql"

    def __init__(self, url: URL, pending_max: int, pool_size: int, notify: Notify) -> None:
        url = url.set(drivername="postgresql+psycopg")
        self._notify = notify
        self._engine = create_engine(
            url, pool_size=pool_size, max_overflow=0, pool_pre_ping=True, pool_timeout=LOCK_WAIT_S
        )
        self._lock_engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._threads = BoundedPool(pool_size, pending_max, "postgres")

    def submit_write(self, fn: Work[T]) -> Future[T]:
        return self._threads.submit(lambda: self._write(fn))

    def submit_read(self, fn: Work[T]) -> Future[T]:
        return self._threads.submit(lambda: _run_read(self._engine, _read_only(fn)))

    def exclusively(self, fn: Work[None]) -> None:
        def locked(conn: Connection) -> None:
            conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("qmtl.migrate")})
            fn(conn)

        self._write(locked)

    def try_lock(self, name: str) -> Held | None:
        try:
            return try_session_lock(self._lock_engine, name)
        except DBAPIError as error:
            raise translated(error) from error

    async def in_thread(self, fn: Callable[[], T]) -> T:
        return await asyncio.to_thread(fn)

    def close(self) -> None:
        self._threads.close()
        self._engine.dispose()
        self._lock_engine.dispose()

    def _write(self, fn: Work[T]) -> T:
        for attempt in range(1, DEADLOCK_TRIES + 1):
            try:
                return self._write_once(fn)
            except DBAPIError as error:
                if sqlstate(error) not in AGAIN_STATES or attempt == DEADLOCK_TRIES:
                    raise translated(error) from error
            time.sleep(random.uniform(0, DEADLOCK_PAUSE_S * attempt))  # else the same two meet again at once
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _write_once(self, fn: Work[T]) -> T:
        with self._engine.connect() as conn:
            raised_signals(conn).clear()
            with conn.begin():
                result = fn(conn)
            signals = set(raised_signals(conn))
        if signals:
            self._notify(signals)
        return result


def _opening_failed(path: Path, error: OSError | DBAPIError) -> Exception:
    if isinstance(error, DBAPIError) and isinstance(busy := translated(error), Unavailable):
        return busy
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
        conn.exec_driver_sql(begin)

    return engine


def _run_read(engine: Engine, fn: Work[T]) -> T:
    try:
        with engine.connect() as conn, conn.begin():
            return fn(conn)
    except DBAPIError as error:
        raise translated(error) from error


def _read_only(fn: Work[T]) -> Work[T]:
    def run(conn: Connection) -> T:
        conn.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        return fn(conn)

    return run
