"""Who did what, recorded in the transaction that did it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from qmtl.rpc.auth.call import current_call


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, and under which correlation id."""

    name: str
    correlation_id: str


def calling_actor() -> Actor:
    call = current_call()
    return Actor(call.actor, call.correlation_id)


def is_recorded(conn: Connection, act: str, subject: str, detail: str) -> bool:
    """Whether an act was recorded with these very words. Looks at the whole log: for what is rare."""
    of = t.audit_log.c
    same = sa.select(of.id).where(of.act == act, of.subject == subject, of.detail == detail).limit(1)
    return conn.scalar(same) is not None


def record(conn: Connection, now_ns: int, who: tuple[str, str], act: str, subject: str, detail: str) -> None:
    """Record who did what; `who` is the actor and the correlation id."""
    conn.execute(
        sa.insert(t.audit_log).values(
            at_ns=now_ns, actor=who[0], act=act, subject=subject, detail=detail, correlation_id=who[1]
        )
    )
