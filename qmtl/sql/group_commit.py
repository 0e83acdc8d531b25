"""Group commit for SQLite: one thread, one connection, many callers' work in one transaction.

A commit with synchronous=FULL costs an fsync, so the writer takes whatever waits and commits it once. Each
piece of work runs in its own savepoint: one that fails is undone alone and the rest of its group stands.
A caller hears of success only after the commit, so what it was told survives a kill.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from qmtl.core.errors import Exhausted, Unavailable
from qmtl.sql.errors import translated
from qmtl.sql.transactions import raised_signals

T = TypeVar("T")
SAVEPOINT = "qmtl_job"
GROUP_MAX = 256
GROUP_S = 0.05  # a slow piece of work must not hold the others of its group for long


@dataclass(slots=True)
class _Job:
    work: Callable[[Connection], Any]  # each job has its own result type; submit() restores it
    done: Future[Any]
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        if self.error is None:
            self.done.set_result(self.result)
        elif isinstance(self.error, DBAPIError | sqlite3.Error):
            self.done.set_exception(translated(self.error))
        else:
            self.done.set_exception(self.error)


class GroupWriter:
    """Runs work one piece at a time on its own thread; `committed` hears the signals of each commit.

    Raises DBAPIError when the database cannot be opened.
    """

    def __init__(self, engine: Engine, *, pending_max: int, committed: Callable[[set[str]], None]) -> None:
        self._conn = engine.connect()  # here, so that a file that cannot be opened is the caller's error
        self._committed = committed
        self._jobs: queue.Queue[_Job | None] = queue.Queue(maxsize=pending_max)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queue work. Raises Exhausted when the queue is full and Unavailable after close."""
        if self._closed:
            raise Unavailable("E_DATABASE_CLOSED", "the database is closed")
        done: Future[T] = Future()
        try:
            self._jobs.put_nowait(_Job(work, done))
        except queue.Full:
            raise Exhausted(
                "E_DATABASE_BUSY", f"{self._jobs.maxsize} writes are waiting already", retry_after_s=0.2
            ) from None
        return done

    def close(self) -> None:
        """Finish what is queued, then end the thread."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        with self._conn as conn:
            stop = False
            while not stop:
                group, stop = self._take()
                if group:
                    self._commit(conn, group)
        for job in self._drain():
            job.done.set_exception(Unavailable("E_DATABASE_CLOSED", "the database is closed"))

    def _take(self) -> tuple[list[_Job], bool]:
        """Wait for one job, then take all that are there, up to a group; True when told to stop."""
        job = self._jobs.get()
        group: list[_Job] = []
        while job is not None:
            if job.done.set_running_or_notify_cancel():
                group.append(job)
            if len(group) == GROUP_MAX:
                return group, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _drain(self) -> list[_Job]:
        left: list[_Job] = []
        while not self._jobs.empty():
            job = self._jobs.get_nowait()
            if job is not None and job.done.set_running_or_notify_cancel():
                left.append(job)
        return left

    def _commit(self, conn: Connection, group: list[_Job]) -> None:
        while group:
            done, group = self._commit_some(conn, group)
            signals = raised_signals(conn)
            if signals:
                self._committed(set(signals))
                signals.clear()
            for job in done:
                job.settle()

    def _commit_some(self, conn: Connection, group: list[_Job]) -> tuple[list[_Job], list[_Job]]:
        """Run and commit a prefix of the group bounded in time; the rest is returned for the next commit."""
        ran = 0
        try:
            with conn.begin():
                until = time.monotonic() + GROUP_S
                for job in group:
                    ran += 1
                    _run_in_savepoint(conn, job)
                    if time.monotonic() > until:
                        break
        except Exception as failure:  # noqa: BLE001 - edge of the writer thread: every caller of the group gets the error
            raised_signals(conn).clear()
            ran = ran or len(group)  # BEGIN itself failed: nobody gets further
            for job in group[:ran]:
                job.error = failure
        return group[:ran], group[ran:]


def _run_in_savepoint(conn: Connection, job: _Job) -> None:
    """The savepoint goes straight to the driver: SQLAlchemy's costs as much as a typical piece of work."""
    driver = conn.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute(f"SAVEPOINT {SAVEPOINT}").close()
    try:
        job.result = job.work(conn)
    except Exception as error:
        # Some SQLite errors (disk full, I/O) undo the whole transaction; then nobody of the group may hear success.
        if not driver.in_transaction:
            raise
        driver.execute(f"ROLLBACK TO {SAVEPOINT}").close()
        job.error = error
    driver.execute(f"RELEASE {SAVEPOINT}").close()
