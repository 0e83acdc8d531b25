"""PostgreSQL behind Database: a bounded pool of threads, transactions that are run again after a deadlock."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import Future

from sqlalchemy import URL, Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from qmtl.sql.bounded_pool import BoundedPool
from qmtl.sql.errors import AGAIN_STATES, sqlstate, translated
from qmtl.sql.locks import LOCK_WAIT_S, Held, lock_key, try_session_lock
from qmtl.sql.transactions import Notify, T, Work, raised_signals

# A server or a network that is gone without a word is noticed in about ten seconds, not in the kernel's two hours.
PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
DEADLOCK_TRIES = 5
DEADLOCK_PAUSE_S = 0.02


class PostgresStore:
    """READ COMMITTED transactions on a pool of threads, each retried after a deadlock."""

    dialect = "postgresql"

    def __init__(self, url: URL, pending_max: int, pool_size: int, notify: Notify) -> None:
        url = url.set(drivername="postgresql+psycopg")
        self._notify = notify
        self._engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_pre_ping=True,
            pool_timeout=LOCK_WAIT_S,
            connect_args=PATIENCE,
        )
        self._lock_engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=PATIENCE)
        self._threads = BoundedPool(pool_size, pending_max, "postgres")

    def submit_write(self, fn: Work[T]) -> Future[T]:
        return self._threads.submit(lambda: self._write(fn))

    def submit_read(self, fn: Work[T]) -> Future[T]:
        return self._threads.submit(lambda: self._read(fn))

    def _read(self, fn: Work[T]) -> T:
        try:
            with self._engine.connect() as conn, conn.begin():
                conn.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
                return fn(conn)
        except DBAPIError as error:
            raise translated(error) from error

    def exclusively(self, fn: Work[None]) -> None:
        def locked(conn: Connection) -> None:
            conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("qmtl.migrate")})
            fn(conn)

        self._write(locked)

    def refuse_damage(self) -> None:
        """PostgreSQL tells of damaged pages by itself, where they are read."""

    def damage(self) -> str:
        """As above: nothing is looked for."""
        return ""

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
