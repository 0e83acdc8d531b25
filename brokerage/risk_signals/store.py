"""What was last put of each scope and stage, and what became of it. Kept, so that a restart puts the same again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage.schema import AnyRow, metadata

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")

risk_puts = sa.Table(
    "risk_puts",
    metadata,
    *(sa.Column(name, sa.Text, primary_key=True) for name in ("scope", "stage")),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("mark", sa.Text, nullable=False),  # the place of the books that it was measured at
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("changed_ns", _BIG, nullable=False),
    sa.Column("failed_since_ns", _BIG, nullable=False),  # 0: the last one is in the hub
)


class PutState(Enum):
    """What became of the last snapshot of a scope."""

    PENDING = "PENDING"
    STORED = "STORED"
    REFUSED = "REFUSED"
    AWAY = "AWAY"
    UNMEASURED = "UNMEASURED"


@dataclass(frozen=True, slots=True)
class RiskPut:
    """The last snapshot of a scope at a stage; `content` is the message, empty where nothing could be measured."""

    scope: str
    stage: str
    version: str
    content: bytes
    mark: str
    state: PutState
    detail: str = ""
    changed_ns: int = 0
    failed_since_ns: int = 0


def load_puts(conn: Connection) -> dict[tuple[str, str], RiskPut]:
    """All of them by scope and stage, in order."""
    rows = conn.execute(sa.select(risk_puts).order_by(risk_puts.c.scope, risk_puts.c.stage))
    return {(row.scope, row.stage): _put_of(row) for row in rows}


def save_put(conn: Connection, put: RiskPut) -> None:
    """Store one in the place of the one before."""
    key = sa.and_(risk_puts.c.scope == put.scope, risk_puts.c.stage == put.stage)
    values = {
        "version": put.version,
        "content": put.content,
        "mark": put.mark,
        "state": put.state.value,
        "detail": put.detail,
        "changed_ns": put.changed_ns,
        "failed_since_ns": put.failed_since_ns,
    }
    if not conn.execute(sa.update(risk_puts).where(key).values(values)).rowcount:
        conn.execute(sa.insert(risk_puts).values(scope=put.scope, stage=put.stage, **values))


def remove_put(conn: Connection, scope: str, stage: str) -> None:
    """Forget a scope that no account is in any more."""
    conn.execute(sa.delete(risk_puts).where(risk_puts.c.scope == scope, risk_puts.c.stage == stage))


def _put_of(row: AnyRow) -> RiskPut:
    place = row.scope, row.stage, row.version, row.content, row.mark
    return RiskPut(*place, PutState(row.state), row.detail, row.changed_ns, row.failed_since_ns)
