"""The registry in SQL: bounded, with a refusal that names the bound."""

from __future__ import annotations

import pytest

from qmtl.core.errors import Exhausted
from qmtl.sql.database import Database
from seamless.domain.row_schemas import Column, ColumnType, Stage
from seamless.schema_registry.registry import Bounds, SchemaRegistry


def column(name: str) -> list[Column]:
    return [Column(name, ColumnType.FLOAT64)]


async def test_schemas_versions_and_promotions_are_bounded(db: Database) -> None:
    registry = SchemaRegistry(db, Bounds(schemas=1, versions=2, promotions=1))
    await registry.register("s", column("a"), "alice", 1)
    with pytest.raises(Exhausted, match=r"E_SCHEMAS_FULL.*1 schemas"):
        await registry.register("t", column("a"), "alice", 2)
    await registry.register("s", column("b"), "alice", 3)
    with pytest.raises(Exhausted, match="s has 2 versions, want at most 2"):
        await registry.register("s", column("c"), "alice", 4)
    assert (await registry.register("s", column("a"), "bob", 5))[0].subject == "alice", "what is known needs no room"
    await registry.promote("s", (1, 0), Stage.STRICT, "alice", 6, "")
    with pytest.raises(Exhausted, match="promoted 1 times"):
        await registry.promote("s", (2, 0), Stage.STRICT, "alice", 7, "")
    assert (await registry.in_force("s")).strict == (await registry.register("s", column("a"), "", 0))[0].version
