"""Group commit for SQLite: one thread, one connection, many callers' work in one transaction.

A commit with synchronous=FULL costs an fsync, so the writer takes whatever waits and commits it once. Each
piece of work of a group runs in a savepoint: one that fails is undone alone and the rest of its group stands.
A caller hears of success only after the commit, so what it was told survives a kill.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from qmtl.sql.errors import translated
from qmtl.sql.jobs import Call, Job, Jobs, hand_back
from qmtl.sql.transactions import Notify, raised_signals

SAVEPOINT = "qmtl_job"
GROUP_MAX = 256
GROUP_S = 0.05  # a slow piece of work must not hold the others of its group for long


WriteJob = Job[Connection, Any]


class GroupWriter:
    """Runs work one piece at a time on its own thread; `committed` hears the signals of each commit.

    Raises DBAPIError when the database cannot be opened.
    """

    def __init__(self, engine: Engine, *, pending_max: int, committed: Notify) -> None:
        self._conn = engine.connect()  # here, so that a file that cannot be opened is the caller's error
        self._committed = committed
        self._jobs: Jobs[Connection] = Jobs(pending_max)
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def add(self, job: WriteJob) -> None:
        """Queue work. Raises Exhausted when too much waits and Unavailable after close."""
        self._jobs.add(job)

    def close(self) -> None:
        """Finish what is queued, then end the thread."""
        self._jobs.end(1)
        self._thread.join()

    def _run(self) -> None:
        with self._conn as conn:
            ended = False
            while not ended and (first := self._jobs.next()) is not None:
                others, ended = self._jobs.more(GROUP_MAX - 1)
                self._commit(conn, [first, *others])
                del first, others  # what they hold is not kept until the next comes

    def _commit(self, conn: Connection, group: list[WriteJob]) -> None:
        while group:
            done, group = self._commit_some(conn, group)
            calls: list[Call] = []
            if signals := raised_signals(conn):
                calls += self._committed(signals)
                signals.clear()
            hand_back([*calls, *((job.done.get_loop(), job.settle) for job in done)])

    def _commit_some(self, conn: Connection, group: list[WriteJob]) -> tuple[list[WriteJob], list[WriteJob]]:
        """Run and commit a prefix of the group bounded in time; the rest is returned for the next commit."""
        ran = 0
        run = _run_in_savepoint if len(group) > 1 else _run_alone
        try:
            with conn.begin():
                until = time.monotonic() + GROUP_S
                for job in group:
                    ran += 1
                    run(conn, job)
                    if time.monotonic() > until:
                        break
        except Exception as failure:  # noqa: BLE001 - edge of the writer thread: every caller of the group gets the error
            raised_signals(conn).clear()
            ran = ran or len(group)  # BEGIN itself failed: nobody gets further
            for job in group[:ran]:
                job.error = failure
        for job in group[:ran]:
            if isinstance(job.error, DBAPIError | sqlite3.Error):
                job.error = translated(job.error)
        return group[:ran], group[ran:]


def _run_alone(conn: Connection, job: WriteJob) -> None:
    """Of a group of one the transaction is what is undone."""
    job.result = job.work(conn)


def _run_in_savepoint(conn: Connection, job: WriteJob) -> None:
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
