"""What both kinds of store share: the work of a transaction, and the signals that a commit sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from sqlalchemy import Connection

from qmtl.sql.jobs import Call

T = TypeVar("T")
Work = Callable[[Connection], T]
Notify = Callable[[set[str]], list[Call]]  # the calls that signals make


SIGNALS = "signals"


def raised_signals(conn: Connection) -> set[str]:
    """The names signalled on this connection since they were last cleared."""
    return cast("set[str]", conn.info.setdefault(SIGNALS, set()))
