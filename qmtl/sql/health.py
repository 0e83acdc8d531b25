"""A row that a healthy store takes: the check that a service's writes would be committed now."""

from __future__ import annotations

import time

from sqlalchemy import Connection, text

from qmtl.sql.statements.prepared import Prepared

_TABLE = "CREATE TABLE IF NOT EXISTS qmtl_store_check (id INTEGER PRIMARY KEY, checked_us BIGINT NOT NULL)"
_WRITE = Prepared(
    "INSERT INTO qmtl_store_check (id, checked_us) VALUES (1, :at)"
    " ON CONFLICT (id) DO UPDATE SET checked_us = excluded.checked_us"
)


def make_check_table(conn: Connection) -> None:
    """Make the table unless it is there."""
    conn.execute(text(_TABLE))


def write_check(conn: Connection) -> None:
    """Replace the row, with the time at which it was written."""
    _WRITE.send(conn, {"at": time.time_ns() // 1000})
