"""Releases of plans: what nobody else holds is let go, and comes back with the plan."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from dagmanager.plans import reads, release
from dagmanager.tables import queues
from qmtl.core.errors import NotFound
from tests.dagmanager.graph_store import CAUSE, GraphStore, keys
from tests.dagmanager.graphs import chain, node


async def test_release_frees_only_what_nobody_else_holds(graph_store: GraphStore) -> None:
    common = chain(2)
    await graph_store.diff([*common, node("mine", common[-1])], "s1")
    await graph_store.diff(common, "s2")
    released = [
        await graph_store.write(lambda conn: release.release_plan(conn, "s1", 1, "w1", CAUSE)),
        await graph_store.write(lambda conn: release.release_plan(conn, "s1", 1, "w1", CAUSE)),
        await graph_store.write(lambda conn: release.release_plan(conn, "s2", 1, "w1", CAUSE)),
    ]
    assert released == [1, 0, 2]
    with pytest.raises(NotFound):
        await graph_store.write(lambda conn: release.release_plan(conn, "s1", 9, "w1", CAUSE))


async def test_two_versions_of_one_strategy_hold_what_they_share(graph_store: GraphStore) -> None:
    await graph_store.diff(chain(2))
    await graph_store.diff(chain(3))
    assert await graph_store.write(lambda conn: release.release_plan(conn, "s1", 1, "w1", CAUSE)) == 0
    assert await graph_store.write(lambda conn: release.release_plan(conn, "s1", 2, "w1", CAUSE)) == 3


async def test_a_released_plan_comes_back_to_life(graph_store: GraphStore) -> None:
    first = await graph_store.diff(chain(2))
    await graph_store.write(lambda conn: release.release_plan(conn, "s1", 1, "w1", CAUSE))
    again = await graph_store.diff(chain(2))
    assert keys(again) == keys(first)
    assert not again.summary.seen_before
    states = await graph_store.db.read(lambda conn: set(conn.execute(sa.select(queues.c.state)).scalars()))
    assert states == {"ACTIVE"}
    plan = await graph_store.db.read(lambda conn: reads.get_plan(conn, "s1", 1, None))
    assert list(plan.live_worlds) == ["w1"]
    assert await graph_store.write(lambda conn: release.release_plan(conn, "s1", 1, "w1", CAUSE)) == 2
