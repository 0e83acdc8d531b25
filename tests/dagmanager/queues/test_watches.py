"""Watches as rows: what registers a query, what forgets it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.plans import release
from dagmanager.queues import watches as queues_watches
from dagmanager.queues.domain.queues import MatchMode, tag_query
from dagmanager.queues.events import Cause
from dagmanager.tables import queues, tag_queries, tag_query_tags, watches
from qmtl.core.errors import Exhausted
from qmtl.core.modes import ExecutionDomain
from tests.dagmanager.graph_store import GraphStore, assignments
from tests.dagmanager.graphs import NOW, chain, node, tag_query_node

QUERY = tag_query(["btc"], MatchMode.ANY, 900, "w1")


async def open_(graph_store: GraphStore, *names: str) -> None:
    for name in names:
        await graph_store.write(lambda conn, of=name: queues_watches.open_watch(conn, QUERY, of, Cause(NOW)))  # type: ignore[misc]  # default binds the loop's value


async def test_the_last_watch_takes_its_query_along(graph_store: GraphStore) -> None:
    await open_(graph_store, "one", "two")
    assert await graph_store.count(tag_queries) == 1
    await graph_store.write(lambda conn: queues_watches.close_watch(conn, "one"))
    assert await graph_store.count(tag_queries) == 1
    await graph_store.write(lambda conn: queues_watches.close_watch(conn, "two"))
    assert [await graph_store.count(table) for table in (tag_queries, tag_query_tags, watches)] == [0, 0, 0]


async def test_a_watch_outlives_the_plan_that_asked_the_same(graph_store: GraphStore) -> None:
    await graph_store.diff([tag_query_node(["btc"])], "asker", decline=True)
    asked = tag_query(["btc"], MatchMode.ANY, 900, "w1", ExecutionDomain.BACKTEST)
    await graph_store.write(lambda conn: queues_watches.open_watch(conn, asked, "one", Cause(NOW)))
    await graph_store.write(lambda conn: release.release_plan(conn, "asker", 1, "w1", Cause(NOW)))
    await graph_store.diff([node("a", tags=["btc"])], "s", decline=True)
    assert [len(event.queue_updated.queues) for event in await graph_store.events()] == [0, 1]


async def test_a_watch_that_is_not_renewed_is_forgotten(graph_store: GraphStore) -> None:
    await open_(graph_store, "dead", "alive")
    later = NOW + queues_watches.FORGOTTEN_AFTER + timedelta(seconds=1)
    await graph_store.write(lambda conn: queues_watches.renew_watch(conn, "alive", later))
    await graph_store.write(lambda conn: queues_watches.forget_dead_watches(conn, later))
    assert (await graph_store.count(watches), await graph_store.count(tag_queries)) == (1, 1)


async def test_a_query_opened_again_goes_on_counting(graph_store: GraphStore) -> None:
    await open_(graph_store, "one")
    await graph_store.write(lambda conn: queues_watches.close_watch(conn, "one"))
    await graph_store.diff(chain(1, tags=["btc"]), decline=True)
    await open_(graph_store, "two")
    events = [(event.revision, len(event.queue_updated.queues)) for event in await graph_store.events()]
    assert events == [(1, 0), (2, 1)]


async def test_a_watch_shows_a_bounded_set(graph_store: GraphStore) -> None:
    (each,) = assignments(await graph_store.diff(chain(1, tags=["btc"]), decline=True))
    await graph_store.write(lambda conn: _copies(conn, each.compute_key, queues_watches.SET_MAX))
    with pytest.raises(Exhausted, match="E_TOO_MANY_QUEUES"):
        await graph_store.db.read(lambda conn: queues_watches.snapshot(conn, QUERY))
    await graph_store.write(
        lambda conn: conn.execute(sa.delete(queues).where(queues.c.compute_key == each.compute_key))
    )
    found, _ = await graph_store.db.read(lambda conn: queues_watches.snapshot(conn, QUERY))
    assert len(found) == queues_watches.SET_MAX


def _copies(conn: Connection, compute_key: str, count: int) -> None:
    """As many more queues of the same node and world, under keys of their own."""
    row = dict(conn.execute(sa.select(queues).where(queues.c.compute_key == compute_key)).mappings().one())
    conn.execute(sa.insert(queues), [row | {"compute_key": f"blake3:{number:064x}"} for number in range(count)])
