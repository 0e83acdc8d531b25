"""Whether every page of an SQLite file is whole: a small file is read before its store is used, a larger one beside it.

Reading takes about a second for 500 MB in the page cache and as long as the disk takes otherwise; a service must not
be away for minutes after each restart because its history is long. SQLite itself refuses a damaged page that it meets
meanwhile, so the check only finds it earlier.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from qmtl.core.errors import DataLoss, Unavailable
from qmtl.sql.errors import corrupt, translated

BEFORE_USE_BYTES_MAX: Final = 256 * 1024 * 1024
log: Final = structlog.stdlib.get_logger("qmtl.sql")


class PageCheck:
    """Reads the pages of one file once."""

    def __init__(self, path: Path, readers: Engine, before_use_bytes_max: int) -> None:
        self._path = path
        self._readers = readers
        self._before_use_bytes_max = before_use_bytes_max
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._reading: sqlite3.Connection | None = None
        self.damage = ""

    def begin(self) -> None:
        """Read them now, or begin to. Raises DataLoss (E_DATABASE_CORRUPT) naming the file and the first damage."""
        if self._thread is not None:
            return
        size = sum(each.stat().st_size for each in (self._path, Path(f"{self._path}-wal")) if each.exists())
        if size > self._before_use_bytes_max:
            self._thread = threading.Thread(target=self._beside, args=(size,), name="sqlite-pages", daemon=True)
            self._thread.start()
        elif found := self._read(""):
            raise corrupt(f"{self._path}: {found}")

    def close(self) -> None:
        """Give up what is not read yet."""
        self._closed.set()
        if self._thread is not None:
            while self._thread.is_alive():
                if self._reading is not None:
                    self._reading.interrupt()
                self._thread.join(0.05)

    def _beside(self, size: int) -> None:
        """Table by table, so that no transaction of minutes keeps the write-ahead log from being reset."""
        started = time.monotonic()
        log.info("store_pages_being_read", path=str(self._path), bytes=size)
        try:
            for table in self._tables():
                if self._closed.is_set():
                    return
                if found := self._read(table):
                    self.damage = corrupt(f"{self._path}: {found}").message
                    break
        except DataLoss as error:
            self.damage = error.message
        except (DBAPIError, Unavailable) as error:
            if not self._closed.is_set():
                log.error("store_pages_not_read", path=str(self._path), error=str(error))
            return
        took_s = round(time.monotonic() - started, 1)
        log.log(40 if self.damage else 20, "store_pages_read", path=str(self._path), took_s=took_s, damage=self.damage)

    def _tables(self) -> list[str]:
        with self._readers.connect() as conn:
            rows = conn.exec_driver_sql("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            return [str(row[0]) for row in rows]

    def _read(self, table: str) -> str:
        """The first damage, "" for none; of the whole file where no table is named. Raises DataLoss, DBAPIError."""
        named = "1" if not table else "'" + table.replace("'", "''") + "'"
        try:
            with self._readers.connect() as conn:
                driver = conn.connection.dbapi_connection
                assert isinstance(driver, sqlite3.Connection)
                self._reading = driver
                try:
                    found = str(conn.exec_driver_sql(f"PRAGMA quick_check({named})").scalars().first())
                finally:
                    self._reading = None
        except DBAPIError as error:
            known = translated(error)
            raise corrupt(f"{self._path}: {error.orig}") if isinstance(known, DataLoss) else known from error
        return "" if found == "ok" else found
