"""Which SQL errors may pass by themselves (Unavailable to the caller) and which are bugs (left as they are)."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from qmtl.core.errors import DataLoss, Unavailable

AGAIN_STATES = ("40001", "40P01")  # serialization failure, deadlock
GONE_STATES = ("08", "53", "57P")  # connection, resources, operator intervention
FULL_OR_BUSY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
}
CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def sqlstate(error: DBAPIError) -> str:
    from psycopg import Error  # only where PostgreSQL is used: the driver costs 60 ms at import

    return (error.orig.sqlstate or "") if isinstance(error.orig, Error) else ""


def corrupt(detail: str) -> DataLoss:
    """The error of a store whose pages are damaged: nothing read from it can be believed."""
    return DataLoss(
        "E_DATABASE_CORRUPT", f"the database is damaged: {detail}", hint="stop the service and restore a backup"
    )


def translated(error: DBAPIError) -> Exception:
    """Unavailable for what may pass by itself, DataLoss for damage, else the error unchanged."""
    if isinstance(error.orig, sqlite3.Error):
        if (error.orig.sqlite_errorcode & 0xFF) in CORRUPT:
            return corrupt(str(error.orig))
        passing = (error.orig.sqlite_errorcode & 0xFF) in FULL_OR_BUSY
    else:
        state = sqlstate(error)
        passing = state.startswith(GONE_STATES) or state in AGAIN_STATES or error.connection_invalidated
        passing = passing or (not state and isinstance(error, OperationalError | InterfaceError))
    if not passing:
        return error
    return Unavailable("E_DATABASE_UNAVAILABLE", f"the database refused the call: {error.orig}", retry_after_s=1.0)
