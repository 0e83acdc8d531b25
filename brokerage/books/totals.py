"""SQL of the sums over open orders: one row per strategy, symbol and side, brought along by every change of an order.

They stand at the account's `valued_sequence`. A peer that does not keep them leaves that behind, and whoever finds it
so makes them anew from the open orders before it decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account
from brokerage.domain.orders.order import Owner, Side
from brokerage.domain.orders.totals import NO_OPEN_ORDERS, OpenOrderTotals, totals_of
from brokerage.market.context import MarketContext
from brokerage.orders import store as orders_store
from brokerage.schema import AnyRow

Sums = dict[Owner, dict[tuple[str, Side], OpenOrderTotals]]

_OF = sa.select(t.valued_sums).where(t.valued_sums.c.account == sa.bindparam("of"))
_OF_WORLD = sa.select(t.valued_sums).where(t.valued_sums.c.account.in_(accounts_store.NAMES_OF_WORLD))
_SAVE = sa.text(
    "INSERT INTO valued_sums "
    "(account, world_id, strategy_id, symbol, side, orders, quantity, taking, priced, unpriced, reducing) VALUES "
    "(:account, :world_id, :strategy_id, :symbol, :side, :orders, :quantity, :taking, :priced, :unpriced, :reducing) "
    "ON CONFLICT (account, world_id, strategy_id, symbol, side) DO UPDATE SET orders = excluded.orders, "
    "quantity = excluded.quantity, taking = excluded.taking, priced = excluded.priced, unpriced = excluded.unpriced, "
    "reducing = excluded.reducing"
)
_VALUED = (
    sa.update(t.accounts)
    .where(t.accounts.c.account == sa.bindparam("of"))
    .values(valued_sequence=t.accounts.c.event_sequence)
)


def load(conn: Connection, house: MarketContext, account: Account) -> Sums:
    """The sums of an account, made anew first if somebody has changed orders without them. Needs a write."""
    if not stand(account):
        _rebuild(conn, house, account)
    return _stored(conn.execute(_OF, {"of": account.account}))


def load_world(conn: Connection, house: MarketContext, world_id: str, accounts: Iterable[Account]) -> Sums:
    """The sums of a world, those of these accounts made anew first where they must; their rows are locked."""
    for account in accounts:
        if not stand(account):
            _rebuild(conn, house, account)
    return _stored(conn.execute(_OF_WORLD, {"of": world_id}))


def stand(account: Account) -> bool:
    """Whether the stored sums are those of the account's last event."""
    return account.valued_sequence == account.event_sequence


def standing(conn: Connection, house: MarketContext, account: Account) -> Sums:
    """The sums of an account, to be read only."""
    if not stand(account):
        return counted(conn, house, account.account)
    return _stored(conn.execute(_OF, {"of": account.account}))


def _stored(rows: Iterable[AnyRow]) -> Sums:
    found: Sums = {}
    for row in rows:
        of = OpenOrderTotals(row.orders, row.quantity, row.taking, row.priced, row.unpriced, row.reducing)
        if of != NO_OPEN_ORDERS:
            scope = Owner(row.account, row.world_id, row.strategy_id)
            found.setdefault(scope, {})[row.symbol, Side(row.side)] = of
    return found


def counted(conn: Connection, house: MarketContext, account_name: str) -> Sums:
    """The sums as the open orders give them."""
    found: Sums = {}
    for record in orders_store.open_records(conn, house.instruments, account_name):
        of, key = found.setdefault(record.order.scope, {}), (record.order.symbol, record.order.side)
        of[key] = of.get(key, NO_OPEN_ORDERS) + totals_of(record)
    return found


def save(conn: Connection, scope: Owner, symbol: str, side: Side, of: OpenOrderTotals) -> None:
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
            "reducing": of.reducing,
        },
    )


def _rebuild(conn: Connection, house: MarketContext, account: Account) -> None:
    conn.execute(sa.delete(t.valued_sums).where(t.valued_sums.c.account == account.account))
    for scope, sides in counted(conn, house, account.account).items():
        for (symbol, side), of in sides.items():
            save(conn, scope, symbol, side, of)
    conn.execute(_VALUED, {"of": account.account})
