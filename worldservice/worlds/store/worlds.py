"""Rows of worlds. A write starts with `lock_world`, so that no two replicas decide on one state at once."""

import json
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from qmtl.core.errors import NotFound
from qmtl.core.paging import Page
from qmtl.sql.instants import instant, micros
from qmtl.sql.statements.prepared import Prepared
from worldservice.worlds.domain.world import WORLD_ID, World, WorldState
from worldservice.worlds.tables import worlds


def find_world(conn: Connection, world_id: str, *, lock: bool = False) -> World | None:
    """A world, deleted or not, or None; `lock` holds its row until the transaction ends."""
    if WORLD_ID.fullmatch(world_id) is None:
        return None
    row = (_LOCK_WORLD if lock else _WORLD).rows(conn, {"id": world_id}).mappings().one_or_none()
    return None if row is None else _world(row)


def get_world(conn: Connection, world_id: str) -> World:
    """A world, deleted or not. Raises NotFound (E_WORLD_UNKNOWN)."""
    return _known(find_world(conn, world_id), world_id)


def lock_world(conn: Connection, world_id: str) -> World:
    """The world, with its row held until the transaction ends."""
    return _known(find_world(conn, world_id, lock=True), world_id)


def list_worlds(conn: Connection, page: Page[tuple[str]], only: frozenset[str] | None) -> list[World]:
    """Worlds in order of id; `only` limits to some ids, None does not."""
    query = sa.select(worlds).order_by(worlds.c.world_id).limit(page.size + 1)
    if page.after is not None:
        query = query.where(worlds.c.world_id > page.after[0])
    if only is not None:
        query = query.where(worlds.c.world_id.in_(sorted(only)))
    return [_world(row) for row in conn.execute(query).mappings()]


def count_worlds(conn: Connection) -> int:
    """How many worlds are not deleted."""
    alive = worlds.c.state != WorldState.DELETED.value
    return int(conn.execute(sa.select(sa.func.count()).select_from(worlds).where(alive)).scalar_one())


def insert_world(conn: Connection, world: World) -> None:
    """Add a world."""
    conn.execute(sa.insert(worlds).values(world_id=world.world_id, **_world_values(world)))


def update_world(conn: Connection, world: World) -> None:
    """Store a world as it is now."""
    conn.execute(sa.update(worlds).where(worlds.c.world_id == world.world_id).values(**_world_values(world)))


def _known(world: World | None, world_id: str) -> World:
    if world is None:
        raise NotFound("E_WORLD_UNKNOWN", f"there is no world {world_id!r}", hint="list the worlds or create it")
    return world


def _world_values(world: World) -> dict[str, object]:
    return {
        "name": world.name,
        "owner": world.owner,
        "labels": json.dumps(dict(world.labels), sort_keys=True),
        "state": world.state.value,
        "allow_live": world.allow_live,
        "circuit_breaker": world.circuit_breaker,
        "default_policy_version": world.default_policy_version,
        "data_presets": json.dumps(world.data_presets),
        "created_us": micros(world.created_at),
        "updated_us": micros(world.updated_at),
        "revision": world.revision,
    }


def _world(row: RowMapping) -> World:
    return World(
        world_id=row["world_id"],
        name=row["name"],
        owner=row["owner"],
        labels=json.loads(row["labels"]),
        state=WorldState(row["state"]),
        allow_live=row["allow_live"],
        circuit_breaker=row["circuit_breaker"],
        default_policy_version=row["default_policy_version"],
        data_presets=texts_from_json(row["data_presets"]),
        created_at=instant(row["created_us"]),
        updated_at=instant(row["updated_us"]),
        revision=row["revision"],
    )


def texts_from_json(text: str) -> tuple[str, ...]:
    """A column that holds a list of texts."""
    values: Sequence[str] = json.loads(text)
    return tuple(values)


# Statements of every write, built once: building one costs as much as running it.
_BY_ID = sa.select(worlds).where(worlds.c.world_id == sa.bindparam("id"))
_WORLD, _LOCK_WORLD = Prepared(_BY_ID), Prepared(_BY_ID.with_for_update())
