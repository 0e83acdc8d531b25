"""Positions as rows."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.accounts.position import Position
from brokerage.domain.orders.order import Owner
from brokerage.schema import OF, AnyRow
from qmtl.sql.statements.prepared import Later, Prepared

Held = tuple[Owner, str, Position]
"""Whose, of which symbol, and the position."""

_POSITIONS = Prepared(
    sa.select(t.positions)
    .where(t.positions.c.account == OF)
    .order_by(t.positions.c.world_id, t.positions.c.strategy_id, t.positions.c.symbol)
)
_POSITIONS_OF_WORLD = Prepared(sa.select(t.positions).where(t.positions.c.world_id == OF))


def load_positions(conn: Connection, account_name: str, world_id: str = "", strategy_id: str = "") -> list[Held]:
    """Stored positions, of all owners or those of one world or strategy: whose, of which symbol, and the position."""
    rows = _POSITIONS.rows(conn, {"of": account_name})
    return [_held(row) for row in rows if world_id in ("", row.world_id) and strategy_id in ("", row.strategy_id)]


def ask_positions(conn: Connection, account_name: str) -> Later[list[Held]]:
    """As `load_positions` of all owners, heard later."""
    rows = _POSITIONS.ask(conn, {"of": account_name}).rows
    return lambda: [_held(row) for row in rows()]


def ask_positions_of_world(conn: Connection, world_id: str) -> Later[list[Held]]:
    """Stored positions of a world in all its accounts, in no order."""
    rows = _POSITIONS_OF_WORLD.ask(conn, {"of": world_id}).rows
    return lambda: [_held(row) for row in rows()]


def holds(conn: Connection, account_name: str, world_id: str) -> bool:
    """Whether a world holds something in an account or has open orders in it."""
    held = any(position.quantity for _, _, position in load_positions(conn, account_name, world_id))
    totals = t.open_order_totals.c
    mine = sa.and_(totals.account == account_name, totals.world_id == world_id, totals.orders > 0)
    return held or conn.execute(sa.select(totals.account).where(mine).limit(1)).first() is not None


def save_position(conn: Connection, owner: Owner, symbol: str, position: Position) -> None:
    """Store what an owner holds of a symbol."""
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


def _held(row: AnyRow) -> Held:
    position = Position(row.quantity, row.cost, row.realised, row.fees, row.fills)
    return Owner(row.account, row.world_id, row.strategy_id), row.symbol, position
