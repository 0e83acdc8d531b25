"""What both kinds of store share: the work of a transaction, reads, and the signals that a commit sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from qmtl.sql.errors import translated

T = TypeVar("T")
Work = Callable[[Connection], T]
Notify = Callable[[set[str]], None]


def run_read(engine: Engine, fn: Work[T]) -> T:
    try:
        with engine.connect() as conn, conn.begin():
            return fn(conn)
    except DBAPIError as error:
        raise translated(error) from error


SIGNALS = "signals"


def raised_signals(conn: Connection) -> set[str]:
    """The names signalled on this connection since they were last cleared."""
    return cast("set[str]", conn.info.setdefault(SIGNALS, set()))
