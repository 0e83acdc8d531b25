"""Rows of closings."""

from __future__ import annotations

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy import Connection

from qmtl.sql.instants import micros
from qmtl.sql.statements.prepared import Prepared
from qmtl.world.v1 import activation_pb2 as activationpb
from worldservice.activation.domain.activation import TRADING
from worldservice.activation.tables import activation_entries
from worldservice.closings.domain import Closing, ClosingState, Key
from worldservice.closings.tables import position_closings
from worldservice.closings.wire import closing_to_proto
from worldservice.worlds.store import bindings as bindings_store

_CLOSING = TypeAdapter(Closing)


def save_closing(conn: Connection, closing: Closing) -> None:
    """Store a closing as it is now."""
    rows = position_closings.c
    key = {
        "world_id": closing.world_id,
        "strategy_id": closing.strategy_id,
        "side": closing.side.value,
        "began_us": micros(closing.began_at),
    }
    same = sa.and_(*(rows[name] == value for name, value in key.items()))
    values = {"state": closing.state.value, "closing": _CLOSING.dump_json(closing).decode()}
    if not conn.execute(sa.update(position_closings).where(same).values(values)).rowcount:
        conn.execute(sa.insert(position_closings).values(**key, **values))


def newest_closings(conn: Connection, world_id: str) -> dict[Key, Closing]:
    """The last closing of each strategy and side of a world."""
    rows = position_closings.c
    newest = (
        sa.select(rows.strategy_id, rows.side, sa.func.max(rows.began_us).label("began_us"))
        .where(rows.world_id == world_id)
        .group_by(rows.strategy_id, rows.side)
        .subquery()
    )
    same = [rows[name] == newest.c[name] for name in ("strategy_id", "side", "began_us")]
    texts = conn.execute(sa.select(rows.closing).where(rows.world_id == world_id, *same)).scalars()
    return {closing.key: closing for closing in map(_CLOSING.validate_json, texts)}


def told_closings(conn: Connection, world_id: str) -> list[activationpb.PositionClosing]:
    """The newest closings of strategies that are bound, by strategy and side."""
    bound = bindings_store.active_bindings(conn, world_id)
    newest = newest_closings(conn, world_id)
    return [closing_to_proto(newest[key]) for key in sorted(newest) if key[0] in bound]


def worlds_to_look_at(conn: Connection) -> list[str]:
    """Worlds in which somebody drains, or something is being closed, by name."""
    return sorted(str(name) for name in _LOOKED_AT.rows(conn).scalars())


def _looked_at() -> sa.CompoundSelect[tuple[str]]:
    entries, closings = activation_entries.c, position_closings.c
    drains = sa.select(entries.world_id).where(
        entries.drain, entries.active, sa.not_(entries.freeze), entries.effective_mode.in_([m.value for m in TRADING])
    )
    return drains.union(sa.select(closings.world_id).where(closings.state == ClosingState.CLOSING.value))


_LOOKED_AT = Prepared(_looked_at())
