"""Positions as rows."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts.store import NAMES_OF_WORLD
from brokerage.domain.accounts.position import Position
from brokerage.domain.orders.order import Owner
from brokerage.schema import OF, AnyRow


def position_of(row: AnyRow) -> Position:
    return Position(row.quantity, row.cost, row.realised, row.fees, row.fills)


_POSITIONS = (
    sa.select(t.positions)
    .where(t.positions.c.account == OF)
    .order_by(t.positions.c.world_id, t.positions.c.strategy_id, t.positions.c.symbol)
)
_POSITIONS_OF_WORLD = sa.select(t.positions).where(t.positions.c.account.in_(NAMES_OF_WORLD))


def load_positions(conn: Connection, account_name: str, strategy_id: str = "") -> list[tuple[Owner, str, Position]]:
    """Stored positions: whose, of which symbol, and the position."""
    rows = conn.execute(_POSITIONS, {"of": account_name})
    return [_held(row) for row in rows if strategy_id in ("", row.strategy_id)]


def positions_of_world(conn: Connection, world_id: str) -> list[tuple[Owner, str, Position]]:
    """Stored positions of all accounts of a world, in no order."""
    return [_held(row) for row in conn.execute(_POSITIONS_OF_WORLD, {"of": world_id})]


def _held(row: AnyRow) -> tuple[Owner, str, Position]:
    return Owner(row.account, row.world_id, row.strategy_id), row.symbol, position_of(row)


def save_position(conn: Connection, owner: Owner, symbol: str, position: Position) -> None:
    values = {
        "quantity": position.quantity,
        "cost": position.cost,
        "realised": position.realised,
        "fees": position.fees,
        "fills": position.fills,
    }
    key = {
        "account": owner.account,
        "world_id": owner.world_id,
        "strategy_id": owner.strategy_id,
        "symbol": symbol,
    }
    found = sa.and_(*(t.positions.c[name] == value for name, value in key.items()))
    if not conn.execute(sa.update(t.positions).where(found).values(values)).rowcount:
        conn.execute(sa.insert(t.positions).values(**key, **values))
