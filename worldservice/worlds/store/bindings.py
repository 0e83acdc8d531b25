"""Rows of bindings. Removed ones stay, so that a strategy that comes back is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from qmtl.core.errors import NotFound
from qmtl.core.paging import Page
from qmtl.sql.instants import instant, micros
from qmtl.sql.statements.prepared import Later, Prepared
from worldservice.worlds.domain.binding import Binding, BindingState, Side, Stage
from worldservice.worlds.store.worlds import texts_from_json
from worldservice.worlds.tables import bindings


def find_binding(conn: Connection, world_id: str, strategy_id: str) -> Binding | None:
    """A binding, removed or not, or None."""
    row = _BINDING.rows(conn, {"world": world_id, "strategy": strategy_id}).mappings().one_or_none()
    return None if row is None else _binding(row)


def get_active_binding(conn: Connection, world_id: str, strategy_id: str) -> Binding:
    """A binding that stands. Raises NotFound (E_BINDING_UNKNOWN)."""
    found = find_binding(conn, world_id, strategy_id)
    if found is None or found.state is not BindingState.ACTIVE:
        raise NotFound("E_BINDING_UNKNOWN", f"{strategy_id} is not bound to world {world_id}", hint="bind it first")
    return found


def active_bindings(conn: Connection, world_id: str) -> Mapping[str, Binding]:
    """Bindings that stand, by strategy."""
    rows = _ACTIVE_BINDINGS.rows(conn, {"world": world_id}).mappings()
    return {row["strategy_id"]: _binding(row) for row in rows}


def ask_active_bindings(conn: Connection, world_id: str) -> Later[int]:
    """How many strategies are in a world, to be heard later."""
    rows = _COUNT_BINDINGS.ask(conn, {"world": world_id}).rows
    return lambda: int(rows().scalar_one())


def ever_bound(conn: Connection, world_id: str) -> frozenset[str]:
    """All strategies that are or were bound."""
    return frozenset(conn.execute(sa.select(bindings.c.strategy_id).where(bindings.c.world_id == world_id)).scalars())


def list_bindings(conn: Connection, world_id: str, page: Page[tuple[str]]) -> list[Binding]:
    """Bindings in order of strategy, removed ones too."""
    after = "" if page.after is None else page.after[0]
    where = (bindings.c.world_id == world_id, bindings.c.strategy_id > after)
    query = sa.select(bindings).where(*where).order_by(bindings.c.strategy_id).limit(page.size + 1)
    return [_binding(row) for row in conn.execute(query).mappings()]


def save_binding(conn: Connection, binding: Binding) -> None:
    """Take the place of the binding the strategy had."""
    values = {
        "world_id": binding.world_id,
        "strategy_id": binding.strategy_id,
        "stage": binding.stage.value,
        "state": binding.state.value,
        "sides": json.dumps(sorted(side.value for side in binding.sides)),
        "created_by": binding.created_by,
        "created_us": micros(binding.created_at),
    }
    _SAVE_BINDING.send(conn, values)


def _binding(row: RowMapping) -> Binding:
    return Binding(
        world_id=row["world_id"],
        strategy_id=row["strategy_id"],
        stage=Stage(row["stage"]),
        state=BindingState(row["state"]),
        sides=_sides(row["sides"]),
        created_by=row["created_by"],
        created_at=instant(row["created_us"]),
    )


@lru_cache(maxsize=16)
def _sides(text: str) -> frozenset[Side]:
    """There are three such texts, and a decision reads one of every strategy in its world."""
    return frozenset(Side(side) for side in texts_from_json(text))


_IN_WORLD = bindings.c.world_id == sa.bindparam("world")
_BINDING = Prepared(sa.select(bindings).where(_IN_WORLD, bindings.c.strategy_id == sa.bindparam("strategy")))
_ACTIVE = (_IN_WORLD, bindings.c.state == BindingState.ACTIVE.value)
_ACTIVE_BINDINGS = Prepared(sa.select(bindings).where(*_ACTIVE).order_by(bindings.c.strategy_id))
_COUNT_BINDINGS = Prepared(sa.select(sa.func.count()).select_from(bindings).where(*_ACTIVE))
_SAVE_BINDING = Prepared(
    "INSERT INTO bindings (world_id, strategy_id, stage, state, sides, created_by, created_us) "
    "VALUES (:world_id, :strategy_id, :stage, :state, :sides, :created_by, :created_us) "
    "ON CONFLICT (world_id, strategy_id) DO UPDATE SET stage = excluded.stage, state = excluded.state, "
    "sides = excluded.sides, created_by = excluded.created_by, created_us = excluded.created_us"
)
