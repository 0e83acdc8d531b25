"""Which of several processes on one store may run a singleton job: an advisory lock that dies with its holder.

SQLite stores use flock on a file beside the database (one host by nature), PostgreSQL a session-level
advisory lock on a connection of its own. Neither has a time to live: a killed process frees it at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

LOCK_WAIT_S = 20.0


class Held(Protocol):
    """A lock that was won. The calls block briefly: run them in a thread."""

    def alive(self) -> bool:
        """False once the lock may belong to another process."""

    def release(self) -> None:
        """Give the lock up, so that the next who tries gets it; safe to call twice."""


class FileLock:
    """flock on `<database>.<name>.lock`."""

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd

    def alive(self) -> bool:
        return self._fd is not None

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class SessionLock:
    """pg_advisory_lock held by a dedicated connection; a lost connection is a lost lock."""

    def __init__(self, conn: Connection, key: int) -> None:
        self._conn: Connection | None = conn
        self._key = key

    def alive(self) -> bool:
        if self._conn is None:
            return False
        try:
            self._conn.execute(text("SELECT 1"))
        except DBAPIError:
            self._conn.invalidate()
            self._conn.close()
            self._conn = None
            return False
        return True

    def release(self) -> None:
        if self._conn is None:
            return
        conn, self._conn = self._conn, None
        try:  # the server frees the lock of a session that is merely closed only once it notices
            conn.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": self._key})
        except DBAPIError:
            pass
        finally:
            conn.invalidate()  # not kept: the store may be closed by now
            conn.close()


def lock_key(name: str) -> int:
    """A signed 64-bit advisory lock key for a name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


def try_file_lock(database: Path, name: str) -> Held | None:
    fd = os.open(f"{database}.{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return FileLock(fd)


def try_session_lock(engine: Engine, name: str) -> Held | None:
    """`engine` must be in AUTOCOMMIT: an open transaction for hours would hold back vacuum."""
    conn, key = engine.connect(), lock_key(name)
    try:
        won = conn.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one()
    except DBAPIError:
        conn.close()
        raise
    if won:
        return SessionLock(conn, key)
    conn.close()
    return None
