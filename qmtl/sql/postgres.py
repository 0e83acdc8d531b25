"""PostgreSQL behind Database: a bounded pool of threads, transactions that are run again after a deadlock, or after the
tables were changed under what a connection had prepared.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from qmtl.sql.errors import runs_again, translated
from qmtl.sql.jobs import Job, Threads, hand_back
from qmtl.sql.locks import LOCK_WAIT_S, Held, lock_key, try_session_lock
from qmtl.sql.statements.pipeline import BEGIN, hear, pipelined
from qmtl.sql.transactions import Notify, T, Work, raised_signals

# A server or a network that is gone without a word is noticed in about ten seconds, not in the kernel's two hours.
PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
IDLE_S: Final = 1.0
USED: Final = "used_s"
READ_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"  # of one snapshot
PREPARED_MAX = 400  # statements a connection keeps: a service has about 150, some with values of several types
TRIES = 5
PAUSE_S = 0.02


class PostgresStore:
    """READ COMMITTED transactions on a pool of threads, run again where that may help."""

    dialect = "postgresql"

    def __init__(self, url: URL, pending_max: int, pool_size: int, notify: Notify) -> None:
        url = url.set(drivername="postgresql+psycopg")
        self._notify = notify
        self._closed = False
        self._engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_use_lifo=True,  # what was in use a moment ago has its statements prepared and its caches warm
            pool_timeout=LOCK_WAIT_S,
            connect_args={
                **PATIENCE,
                "autocommit": True,
            },  # the pipeline says BEGIN: the driver's own waits for its answer
        )
        _keep_prepared(self._engine)
        _ask_the_idle(self._engine)
        pipelined(self._engine)
        self._lock_engine = create_engine(  # who stands by for a lock asks each second, on the same connection
            url, pool_size=1, max_overflow=-1, isolation_level="AUTOCOMMIT", connect_args=PATIENCE
        )
        _ask_the_idle(self._lock_engine)
        self._threads = Threads(pool_size, pending_max, "postgres")

    def submit_write(self, fn: Work[T]) -> asyncio.Future[T]:
        return self._submitted(Job(lambda _: self._write(fn)))

    def submit_read(self, fn: Work[T]) -> asyncio.Future[T]:
        return self._submitted(Job(lambda _: self._read(fn)))

    def _submitted(self, job: Job[None, T]) -> asyncio.Future[T]:
        self._threads.add(job)
        return job.done

    def _read(self, fn: Work[T]) -> T:
        return _again(lambda: self._read_once(fn))

    def _read_once(self, fn: Work[T]) -> T:
        with self._engine.connect() as conn, conn.execution_options(**{BEGIN: READ_BEGIN}).begin():
            return _done(conn, fn)

    async def exclusively(self, fn: Work[None]) -> None:
        def locked(conn: Connection) -> None:
            conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("qmtl.migrate")})
            fn(conn)

        await asyncio.to_thread(self._write, locked)

    def refuse_damage(self) -> None:
        """PostgreSQL tells of damaged pages by itself, where they are read."""

    def damage(self) -> str:
        """As above: nothing is looked for."""
        return ""

    def try_lock(self, name: str) -> Held | None:
        pool = self._lock_engine.pool
        try:
            return try_session_lock(self._lock_engine, name)
        except DBAPIError as error:
            raise translated(error) from error
        finally:
            if self._closed:  # meanwhile: what came back to a pool that was given up would stay open
                pool.dispose()
                self._lock_engine.dispose()

    async def in_thread(self, fn: Callable[[], T]) -> T:
        return await asyncio.to_thread(fn)

    def close(self) -> None:
        self._closed = True
        self._threads.close()
        self._engine.dispose()
        self._lock_engine.dispose()

    def _write(self, fn: Work[T]) -> T:
        return _again(lambda: self._write_once(fn))

    def _write_once(self, fn: Work[T]) -> T:
        with self._engine.connect() as conn:
            raised_signals(conn).clear()
            with conn.begin():
                result = _done(conn, fn)
            signals = set(raised_signals(conn))
        if signals:
            hand_back(self._notify(signals))
        return result


def _keep_prepared(engine: Engine) -> None:
    """Let a connection keep all statements of a service; of the driver's 100 the oldest are forgotten."""

    @event.listens_for(engine, "connect")
    def connected(driver: Any, _: Any) -> None:
        driver.prepared_max = PREPARED_MAX


def _ask_the_idle(engine: Engine) -> None:
    """Ask a connection that nobody used for a while whether it stands: one in use a moment ago costs no round trip.

    One that is found dead makes the pool forget all that are older.
    """

    @event.listens_for(engine, "checkin")
    def returned(_: Any, record: ConnectionPoolEntry) -> None:
        record.info[USED] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def taken(driver: Any, record: ConnectionPoolEntry, _: Any) -> None:
        if time.monotonic() - record.info.get(USED, math.inf) < IDLE_S:
            return
        try:
            engine.dialect.do_ping(driver)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError("the connection has ended") from error


def _again(run: Callable[[], T]) -> T:
    """What a transaction gives, run again where that may help. Raises Unavailable for what may pass by itself."""
    for attempt in range(1, TRIES + 1):
        try:
            return run()
        except DBAPIError as error:
            if not runs_again(error) or attempt == TRIES:
                raise translated(error) from error
        time.sleep(random.uniform(0, PAUSE_S * attempt))  # else the two that met meet again at once
    raise AssertionError("unreachable: the last attempt returns or raises")


def _done(conn: Connection, fn: Work[T]) -> T:
    """What a work gives. Of two errors the first counts, and what was sent before a work raised comes first."""
    try:
        return fn(conn)
    except Exception:
        hear(conn)
        raise
