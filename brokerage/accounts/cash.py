"""Cash of accounts by currency, settled and on its way, as rows."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.money import fit
from brokerage.schema import OF
from qmtl.sql.statements.prepared import Later, Prepared

_CASH = Prepared(sa.select(t.cash).where(t.cash.c.account == OF).order_by(t.cash.c.currency))
_WAITING = t.unsettled_cash.c


def load_cash(conn: Connection, account_name: str) -> dict[str, int]:
    """Settled cash by currency."""
    return ask_cash(conn, account_name)()


def ask_cash(conn: Connection, account_name: str) -> Later[dict[str, int]]:
    """As `load_cash`, heard later."""
    rows = _CASH.ask(conn, {"of": account_name}).rows
    return lambda: {row.currency: row.settled for row in rows()}


def save_cash(conn: Connection, account_name: str, currency: str, amount: int) -> None:
    """Store the settled cash of one currency."""
    found = sa.and_(t.cash.c.account == account_name, t.cash.c.currency == currency)
    if not conn.execute(sa.update(t.cash).where(found).values(settled=amount)).rowcount:
        conn.execute(sa.insert(t.cash).values(account=account_name, currency=currency, settled=amount))


def move_cash(conn: Connection, account_name: str, currency: str, amount: int) -> None:
    """Add to the settled cash of one currency (or take from it). Raises InvalidRequest (E_AMOUNT_OVERFLOW)."""
    held = load_cash(conn, account_name).get(currency, 0)
    save_cash(conn, account_name, currency, fit(held + amount, f"cash in {currency}"))


def pending(conn: Connection, account_name: str) -> list[tuple[int, str, int]]:
    """Credits on their way: when each settles, its currency and amount, in order of time."""
    query = sa.select(t.unsettled_cash).where(_WAITING.account == account_name)
    rows = conn.execute(query.order_by(_WAITING.settles_ns, _WAITING.currency))
    return [(row.settles_ns, row.currency, row.amount) for row in rows]


def load_unsettled(conn: Connection, account_name: str) -> dict[str, int]:
    """Cash on its way by currency."""
    found: dict[str, int] = {}
    for _, currency, amount in pending(conn, account_name):
        found[currency] = found.get(currency, 0) + amount
    return found


def add_pending(conn: Connection, account_name: str, currency: str, amount: int, settles_ns: int) -> None:
    """Store a credit on its way; credits of one instant are one."""
    table = t.unsettled_cash
    key = sa.and_(_WAITING.account == account_name, _WAITING.currency == currency, _WAITING.settles_ns == settles_ns)
    known = conn.execute(sa.select(_WAITING.amount).where(key)).scalar_one_or_none()
    if known is not None:
        total = fit(known + amount, f"unsettled cash in {currency}")
        conn.execute(sa.update(table).where(key).values(amount=total))
        return
    row = {"account": account_name, "currency": currency, "settles_ns": settles_ns, "amount": amount}
    conn.execute(sa.insert(table).values(row))


def settle(conn: Connection, account_name: str, until_ns: int) -> None:
    """Move the credits that are due by an instant to settled cash."""
    due = [(currency, amount) for at_ns, currency, amount in pending(conn, account_name) if at_ns <= until_ns]
    for currency, amount in due:
        move_cash(conn, account_name, currency, amount)
    if due:
        mine = sa.and_(_WAITING.account == account_name, _WAITING.settles_ns <= until_ns)
        conn.execute(sa.delete(t.unsettled_cash).where(mine))
