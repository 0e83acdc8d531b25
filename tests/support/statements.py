"""The statements that run on an SQLite connection, however they get there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection


@contextmanager
def statements_on(conn: Connection) -> Iterator[list[str]]:
    """A list that grows with each statement of the block."""
    driver = conn.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    seen: list[str] = []
    driver.set_trace_callback(seen.append)
    try:
        yield seen
    finally:
        driver.set_trace_callback(None)
