"""Which SQL errors may pass by themselves (Unavailable to the caller) and which are bugs (left as they are)."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import Connection
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


def runs_again(error: DBAPIError) -> bool:
    """Whether the same transaction may do when it is run once more: PostgreSQL chose it to end for another, or the
    tables were changed under a statement that the connection had prepared, which its rollback makes it forget.
    """
    return sqlstate(error) in AGAIN_STATES or _planned_before(error)


def _planned_before(error: DBAPIError) -> bool:
    """Of all that is not supported, a prepared statement whose columns have other types now: "cached plan must not
    change result type". The text is in the server's language, the name of the function that says so is not.
    """
    from psycopg.errors import FeatureNotSupported  # as above

    driver = error.orig
    return isinstance(driver, FeatureNotSupported) and driver.diag.source_function == "RevalidateCachedQuery"


def wrapped(conn: Connection, text: str, arguments: Any, error: Exception) -> Exception:
    """The error of a statement that was given to the driver, as SQLAlchemy would have raised it."""
    base = conn.dialect.loaded_dbapi.Error
    return DBAPIError.instance(text, arguments, error, base, dialect=conn.dialect)


def corrupt(detail: str) -> DataLoss:
    """The error of a store whose pages are damaged: nothing read from it can be believed."""
    return DataLoss(
        "E_DATABASE_CORRUPT", f"the database is damaged: {detail}", hint="stop the service and restore a backup"
    )


def translated(error: DBAPIError | sqlite3.Error) -> Exception:
    """Unavailable for what may pass by itself, DataLoss for damage, else the error unchanged.

    A driver's own error is one that SQLAlchemy has not seen: of a statement that was given to the driver.
    """
    driver = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(driver, sqlite3.Error):
        code = getattr(driver, "sqlite_errorcode", 0) & 0xFF
        if code in CORRUPT:
            return corrupt(str(driver))
        passing = code in FULL_OR_BUSY
    else:
        assert isinstance(error, DBAPIError)
        state = sqlstate(error)
        passing = state.startswith(GONE_STATES) or runs_again(error) or error.connection_invalidated
        passing = passing or (not state and isinstance(error, OperationalError | InterfaceError))
    if not passing:
        return error
    return Unavailable("E_DATABASE_UNAVAILABLE", f"the database refused the call: {driver}", retry_after_s=1.0)
