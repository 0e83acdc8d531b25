"""Rows of account limits: what people put, the budgets that allocations add, and what brokerage has confirmed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from qmtl.sql.instants import instant, micros
from worldservice.risk.tables import risk_account_limits

OUTRANKED = "LIMITS_OUTRANKED"
REASON_MAX = 500


@dataclass(frozen=True, slots=True)
class StoredLimits:
    """`limits` and `budgets` are serialised qmtl.broker.v1.AccountLimits; revision 0: nothing was put yet."""

    account: str
    revision: int = 0
    confirmed_revision: int = 0
    limits: bytes = b""
    budgets: bytes = b""
    pending_reason: str = ""
    updated_by: str = ""
    updated_at: datetime | None = None

    @property
    def pending(self) -> bool:
        """Whether brokerage has yet to confirm the revision."""
        return self.confirmed_revision < self.revision

    @property
    def is_outranked(self) -> bool:
        """Whether brokerage has limits that this store never sent, and that these would widen."""
        return self.pending and self.pending_reason.startswith(OUTRANKED)

    @property
    def etag(self) -> str:
        """Opaque; changes with every revision."""
        return f"{self.account}-{self.revision}"


def load_limits(conn: Connection, account: str, *, lock: bool = False) -> StoredLimits:
    """The limits of an account; of one that nobody put any for: none."""
    query = sa.select(risk_account_limits).where(risk_account_limits.c.account == account)
    row = conn.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    return StoredLimits(account) if row is None else _stored(row)


def lock_limits(conn: Connection, account: str) -> StoredLimits:
    """The limits of an account, their row held until the transaction ends; made if there is none."""
    conn.execute(_NEW, {"account": account, "none": b""})
    return load_limits(conn, account, lock=True)


def save_limits(conn: Connection, stored: StoredLimits, *, keeps: bool = False) -> StoredLimits:
    """Write the next revision, or (`keeps`) other content of this one. The caller holds the row."""
    assert stored.updated_at is not None
    after = stored if keeps else replace(stored, revision=stored.revision + 1, pending_reason="")
    values = {
        "revision": after.revision,
        "limits": after.limits,
        "budgets": after.budgets,
        "pending_reason": after.pending_reason,
        "updated_by": after.updated_by,
        "updated_us": micros(stored.updated_at),
    }
    conn.execute(sa.update(risk_account_limits).where(risk_account_limits.c.account == after.account).values(**values))
    return after


def outrank(conn: Connection, account: str, sent: int, to: int) -> bool:
    """Step up to a revision, which brokerage has not confirmed, from the one that was sent; False: the store has moved
    on meanwhile.
    """
    table = risk_account_limits.c
    where = (table.account == account, table.revision == sent, table.revision <= to)
    return (
        conn.execute(sa.update(risk_account_limits).where(*where).values(revision=to, confirmed_revision=0)).rowcount
        > 0
    )


def confirm(conn: Connection, account: str, revision: int) -> bool:
    """Record that brokerage has a revision; False: a late word on an older one changes nothing."""
    table = risk_account_limits.c
    where = (table.account == account, table.confirmed_revision < revision, table.revision >= revision)
    values = {"confirmed_revision": revision, "pending_reason": ""}
    return conn.execute(sa.update(risk_account_limits).where(*where).values(**values)).rowcount > 0


def note_pending(conn: Connection, account: str, revision: int, reason: str) -> None:
    """Keep why brokerage has not confirmed a revision."""
    table = risk_account_limits.c
    where = (table.account == account, table.revision == revision, table.confirmed_revision < revision)
    conn.execute(sa.update(risk_account_limits).where(*where).values(pending_reason=reason[:REASON_MAX]))


def pending_accounts(conn: Connection) -> list[str]:
    """Accounts whose limits brokerage has not confirmed."""
    table = risk_account_limits.c
    query = sa.select(table.account).where(table.confirmed_revision < table.revision).order_by(table.account)
    return list(conn.execute(query).scalars())


def known_accounts(conn: Connection) -> list[str]:
    """Accounts that limits were ever put for."""
    table = risk_account_limits.c
    return list(conn.execute(sa.select(table.account).where(table.revision > 0).order_by(table.account)).scalars())


_NEW = sa.text(
    "INSERT INTO risk_account_limits (account, revision, confirmed_revision, limits, budgets, pending_reason,"
    " updated_by, updated_us) VALUES (:account, 0, 0, :none, :none, '', '', 0) ON CONFLICT DO NOTHING"
)


def _stored(row: RowMapping) -> StoredLimits:
    return StoredLimits(
        account=row["account"],
        revision=row["revision"],
        confirmed_revision=row["confirmed_revision"],
        limits=bytes(row["limits"]),
        budgets=bytes(row["budgets"]),
        pending_reason=row["pending_reason"],
        updated_by=row["updated_by"],
        updated_at=instant(row["updated_us"]) if row["revision"] else None,
    )
