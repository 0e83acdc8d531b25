"""How an account's venue was last found, kept for every process to tell: only one of them drives it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import audit
from brokerage import schema as t
from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import TradingState

DIFFERENCES_MAX = 100
_ROW = t.venue_states.c


@dataclass(frozen=True, slots=True)
class VenueRecord:
    """What is stored of an account at a venue, with who drives it. Times are ns, 0: never."""

    account: str
    venue: str
    state: str
    detail: str
    differences: tuple[str, ...]
    compared_ns: int
    opened_ns: int
    asked_ns: int
    weight_used: int
    ahead_ms: int | None
    holder: str
    epoch: int


def records(conn: Connection, venue: str = "", account_name: str = "") -> list[VenueRecord]:
    """What is stored of the accounts at venues (empty: any), in order of account."""
    leases = t.venue_leases.c
    query = (
        sa.select(t.venue_states, t.accounts.c.venue, leases.holder, leases.epoch)
        .join(t.accounts, t.accounts.c.account == _ROW.account)
        .outerjoin(t.venue_leases, leases.account == _ROW.account)
        .order_by(_ROW.account)
    )
    if venue:
        query = query.where(t.accounts.c.venue == venue)
    if account_name:
        query = query.where(_ROW.account == account_name)
    return [
        VenueRecord(
            row.account,
            row.venue,
            row.state,
            row.detail,
            tuple(json.loads(row.differences)),
            row.compared_ns,
            row.opened_ns,
            row.asked_ns,
            row.weight_used,
            row.ahead_ms,
            row.holder or "",
            row.epoch or 0,
        )
        for row in conn.execute(query)
    ]


def save_state(
    conn: Connection, account_name: str, state: str, detail: str, weight_used: int | None, ahead_ms: int | None
) -> None:
    """How the link is doing."""
    values: dict[str, str | int | None] = {"state": state, "detail": detail, "ahead_ms": ahead_ms}
    if weight_used is not None:
        values["weight_used"] = weight_used
    conn.execute(sa.update(t.venue_states).where(_ROW.account == account_name).values(values))


def ask(conn: Connection, account_name: str, now_ns: int) -> None:
    """Ask whoever drives an account for a comparison."""
    conn.execute(sa.update(t.venue_states).where(_ROW.account == account_name).values(asked_ns=now_ns))


def compared(conn: Connection, account_name: str, differences: Sequence[str], now_ns: int) -> None:
    """The books were brought to what the venue lists. The first time that nothing differs lets the account trade,
    unless an operator has set its trading state since it was opened: that holds.
    """
    opened: int = conn.scalar(sa.select(_ROW.opened_ns).where(_ROW.account == account_name)) or 0
    opens = not opened and not differences
    conn.execute(
        sa.update(t.venue_states)
        .where(_ROW.account == account_name)
        .values(
            compared_ns=now_ns,
            differences=json.dumps(list(differences)[:DIFFERENCES_MAX]),
            opened_ns=now_ns if opens else opened,
        )
    )
    if opens:
        account = accounts_store.account(conn, account_name, lock=True)
        detail = f"its books are those of {account.venue}: it may trade"
        if _is_set_by_hand(conn, account_name):
            detail = f"its books are those of {account.venue}: it stays {account.trading_state.value} as it was set"
        else:
            accounts_store.save_account(conn, replace(account, trading_state=TradingState.ACTIVE))
        audit.record(conn, now_ns, ("brokerage", ""), "venue_account_opened", account_name, detail)


def _is_set_by_hand(conn: Connection, account_name: str) -> bool:
    done = t.audit_log.c
    query = sa.select(done.id).where(done.subject == account_name, done.act == "set_trading_state").limit(1)
    return conn.scalar(query) is not None
