"""SQL of the sums over open orders: one row per strategy, symbol and side, brought along by every change of an order.

They stand at the account's `summed_sequence`. A peer that does not keep them leaves that behind, and whoever finds it
so makes them anew from the open orders before it decides anything.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import store
from brokerage import tables as t
from brokerage.domain.exposure import IDLE, Working, working_of
from brokerage.domain.orders import Scope, Side
from brokerage.house import House
from brokerage.rows import Account

Sums = dict[Scope, dict[tuple[str, Side], Working]]

_OF = sa.select(t.working_sums).where(t.working_sums.c.account == sa.bindparam("of"))
_SAVE = sa.text(
    "INSERT INTO working_sums "
    "(account, world_id, strategy_id, symbol, side, orders, quantity, taking, priced, unpriced) "
    "VALUES (:account, :world_id, :strategy_id, :symbol, :side, :orders, :quantity, :taking, :priced, :unpriced) "
    "ON CONFLICT (account, world_id, strategy_id, symbol, side) DO UPDATE SET orders = excluded.orders, "
    "quantity = excluded.quantity, taking = excluded.taking, priced = excluded.priced, unpriced = excluded.unpriced"
)


def load(conn: Connection, house: House, account: Account) -> Sums:
    """The sums of an account, made anew first if somebody has changed orders without them. Needs a write."""
    if account.summed_sequence != account.event_sequence:
        _rebuild(conn, house, account)
    return _stored(conn, account)


def standing(conn: Connection, house: House, account: Account) -> Sums:
    """The sums of an account, to be read only."""
    if account.summed_sequence != account.event_sequence:
        return counted(conn, house, account.account)
    return _stored(conn, account)


def _stored(conn: Connection, account: Account) -> Sums:
    found: Sums = {}
    for row in conn.execute(_OF, {"of": account.account}):
        of = Working(row.orders, row.quantity, row.taking, row.priced, row.unpriced)
        if of != IDLE:
            scope = Scope(row.account, row.world_id, row.strategy_id)
            found.setdefault(scope, {})[row.symbol, Side(row.side)] = of
    return found


def counted(conn: Connection, house: House, account_name: str) -> Sums:
    """The sums as the open orders give them."""
    found: Sums = {}
    for record in store.open_records(conn, house.instruments, account_name):
        of, key = found.setdefault(record.order.scope, {}), (record.order.symbol, record.order.side)
        of[key] = of.get(key, IDLE) + working_of(record)
    return found


def save(conn: Connection, scope: Scope, symbol: str, side: Side, of: Working) -> None:
    conn.execute(
        _SAVE,
        {
            "account": scope.account,
            "world_id": scope.world_id,
            "strategy_id": scope.strategy_id,
            "symbol": symbol,
            "side": side.value,
            "orders": of.orders,
            "quantity": of.quantity,
            "taking": of.taking,
            "priced": of.priced,
            "unpriced": of.unpriced,
        },
    )


def _rebuild(conn: Connection, house: House, account: Account) -> None:
    conn.execute(sa.delete(t.working_sums).where(t.working_sums.c.account == account.account))
    for scope, sides in counted(conn, house, account.account).items():
        for (symbol, side), of in sides.items():
            save(conn, scope, symbol, side, of)
