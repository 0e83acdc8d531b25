"""Open-order totals as rows: one per owner, symbol and side, brought along by every change of an order."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.orders.order import Owner, Side
from brokerage.domain.orders.totals import NO_OPEN_ORDERS, OpenOrderTotals
from brokerage.schema import AnyRow
from qmtl.sql.statements.prepared import Later, Prepared

Totals = dict[Owner, dict[tuple[str, Side], OpenOrderTotals]]

_OF = Prepared(sa.select(t.open_order_totals).where(t.open_order_totals.c.account == sa.bindparam("of")))
_OF_WORLD = Prepared(sa.select(t.open_order_totals).where(t.open_order_totals.c.world_id == sa.bindparam("of")))
_SAVE = Prepared(
    "INSERT INTO open_order_totals "
    "(account, world_id, strategy_id, symbol, side, orders, quantity, taking, priced, unpriced, reducing) VALUES "
    "(:account, :world_id, :strategy_id, :symbol, :side, :orders, :quantity, :taking, :priced, :unpriced, :reducing) "
    "ON CONFLICT (account, world_id, strategy_id, symbol, side) DO UPDATE SET orders = excluded.orders, "
    "quantity = excluded.quantity, taking = excluded.taking, priced = excluded.priced, unpriced = excluded.unpriced, "
    "reducing = excluded.reducing"
)


def load(conn: Connection, account_name: str) -> Totals:
    """The totals of an account."""
    return ask(conn, account_name)()


def ask(conn: Connection, account_name: str) -> Later[Totals]:
    """As `load`, heard later."""
    rows = _OF.ask(conn, {"of": account_name}).rows
    return lambda: _stored(rows())


def ask_world(conn: Connection, world_id: str) -> Later[Totals]:
    """The totals of a world in all its accounts."""
    rows = _OF_WORLD.ask(conn, {"of": world_id}).rows
    return lambda: _stored(rows())


def save(conn: Connection, owner: Owner, symbol: str, side: Side, of: OpenOrderTotals) -> None:
    """Store the totals of one owner, symbol and side."""
    _SAVE.send(
        conn,
        {
            "account": owner.account,
            "world_id": owner.world_id,
            "strategy_id": owner.strategy_id,
            "symbol": symbol,
            "side": side.value,
            "orders": of.orders,
            "quantity": of.quantity,
            "taking": of.taking,
            "priced": of.priced,
            "unpriced": of.unpriced,
            "reducing": of.reducing,
        },
    )


def _stored(rows: Iterable[AnyRow]) -> Totals:
    found: Totals = {}
    for row in rows:
        of = OpenOrderTotals(row.orders, row.quantity, row.taking, row.priced, row.unpriced, row.reducing)
        if of != NO_OPEN_ORDERS:
            owner = Owner(row.account, row.world_id, row.strategy_id)
            found.setdefault(owner, {})[row.symbol, Side(row.side)] = of
    return found
