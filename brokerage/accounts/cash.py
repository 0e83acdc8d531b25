"""Cash of accounts by currency, as rows."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.schema import OF
from qmtl.sql.prepared import Prepared

_CASH = Prepared(sa.select(t.cash).where(t.cash.c.account == OF).order_by(t.cash.c.currency))


def load_cash(conn: Connection, account_name: str) -> dict[str, int]:
    """Settled cash by currency."""
    return {row.currency: row.settled for row in _CASH.rows(conn, {"of": account_name})}


def save_cash(conn: Connection, account_name: str, currency: str, amount: int) -> None:
    """Store the settled cash of one currency."""
    found = sa.and_(t.cash.c.account == account_name, t.cash.c.currency == currency)
    if not conn.execute(sa.update(t.cash).where(found).values(settled=amount)).rowcount:
        conn.execute(sa.insert(t.cash).values(account=account_name, currency=currency, settled=amount, unsettled=0))
