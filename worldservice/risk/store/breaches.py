"""Rows of breaches: one open row a scope, rule and target; closed ones stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy import Connection

from qmtl.core.errors import NotFound
from qmtl.core.paging import Page
from qmtl.sql.instants import micros
from worldservice.risk.domain.breaches.breach import CLOSED, Breach, BreachState
from worldservice.risk.domain.scope import Scope
from worldservice.risk.tables import risk_breaches

_BREACH = TypeAdapter(Breach)


def open_breaches(conn: Connection, scope: Scope) -> Mapping[tuple[str, str], Breach]:
    """Breaches that are not closed, by rule and target."""
    where = (risk_breaches.c.scope == scope.text, risk_breaches.c.open)
    rows = conn.execute(sa.select(risk_breaches.c.sequence, risk_breaches.c.breach).where(*where)).all()
    found = [_breach(sequence, text) for sequence, text in rows]
    return {(one.rule, one.target): one for one in found}


def save_breach(conn: Connection, breach: Breach) -> Breach:
    """Write a breach, a new one with its number. The caller holds the scope's lock."""
    assert breach.updated_at is not None
    values = {
        "scope": breach.scope,
        "rule": breach.rule,
        "target": breach.target,
        "state": breach.state.value,
        "open": breach.state not in CLOSED,
        "breach": _BREACH.dump_json(breach).decode(),
        "updated_us": micros(breach.updated_at),
    }
    if breach.sequence:
        conn.execute(sa.update(risk_breaches).where(risk_breaches.c.sequence == breach.sequence).values(**values))
        return breach
    result = conn.execute(sa.insert(risk_breaches).values(**values).returning(risk_breaches.c.sequence))
    return replace(breach, sequence=int(result.scalar_one()))


def get_breach(conn: Connection, scope: Scope, sequence: int) -> Breach:
    """A breach of a scope, locked. Raises NotFound (E_BREACH_UNKNOWN)."""
    where = (risk_breaches.c.scope == scope.text, risk_breaches.c.sequence == sequence)
    query = sa.select(risk_breaches.c.sequence, risk_breaches.c.breach).where(*where).with_for_update()
    row = conn.execute(query).one_or_none()
    if row is None:
        raise NotFound("E_BREACH_UNKNOWN", f"{scope} has no breach {sequence}", hint="list the breaches of the scope")
    return _breach(row.sequence, row.breach)


def list_breaches(conn: Connection, scope: Scope, state: BreachState | None, page: Page[tuple[int]]) -> list[Breach]:
    """Newest first; `state` None: all but WATCHED."""
    table = risk_breaches.c
    wanted = table.state != BreachState.WATCHED.value if state is None else table.state == state.value
    query = sa.select(table.sequence, table.breach).where(table.scope == scope.text, wanted)
    if page.after is not None:
        query = query.where(table.sequence < page.after[0])
    rows = conn.execute(query.order_by(table.sequence.desc()).limit(page.size + 1)).all()
    return [_breach(row.sequence, row.breach) for row in rows]


def _breach(sequence: int, text: str) -> Breach:
    return replace(_BREACH.validate_json(text), sequence=sequence)
