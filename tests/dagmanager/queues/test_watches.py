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
from tests.dagmanager.estate import Estate, assignments
from tests.dagmanager.graphs import NOW, chain, node, tag_query_node

QUERY = tag_query(["btc"], MatchMode.ANY, 900, "w1")


async def open_(estate: Estate, *names: str) -> None:
    for name in names:
        await estate.write(lambda conn, of=name: queues_watches.open_watch(conn, QUERY, of, Cause(NOW)))  # type: ignore[misc]  # default binds the loop's value


async def test_the_last_watch_takes_its_query_along(estate: Estate) -> None:
    await open_(estate, "one", "two")
    assert await estate.count(tag_queries) == 1
    await estate.write(lambda conn: queues_watches.close_watch(conn, "one"))
    assert await estate.count(tag_queries) == 1
    await estate.write(lambda conn: queues_watches.close_watch(conn, "two"))
    assert [await estate.count(table) for table in (tag_queries, tag_query_tags, watches)] == [0, 0, 0]


async def test_a_watch_outlives_the_plan_that_asked_the_same(estate: Estate) -> None:
    await estate.diff([tag_query_node(["btc"])], "asker", decline=True)
    asked = tag_query(["btc"], MatchMode.ANY, 900, "w1", ExecutionDomain.BACKTEST)
    await estate.write(lambda conn: queues_watches.open_watch(conn, asked, "one", Cause(NOW)))
    await estate.write(lambda conn: release.release_plan(conn, "asker", 1, "w1", Cause(NOW)))
    await estate.diff([node("a", tags=["btc"])], "s", decline=True)
    assert [len(event.queue_updated.queues) for event in await estate.events()] == [0, 1]


async def test_a_watch_that_is_not_renewed_is_forgotten(estate: Estate) -> None:
    await open_(estate, "dead", "alive")
    later = NOW + queues_watches.FORGOTTEN_AFTER + timedelta(seconds=1)
    await estate.write(lambda conn: queues_watches.renew_watch(conn, "alive", later))
    await estate.write(lambda conn: queues_watches.forget_dead_watches(conn, later))
    assert (await estate.count(watches), await estate.count(tag_queries)) == (1, 1)


async def test_a_query_opened_again_goes_on_counting(estate: Estate) -> None:
    await open_(estate, "one")
    await estate.write(lambda conn: queues_watches.close_watch(conn, "one"))
    await estate.diff(chain(1, tags=["btc"]), decline=True)
    await open_(estate, "two")
    events = [(event.revision, len(event.queue_updated.queues)) for event in await estate.events()]
    assert events == [(1, 0), (2, 1)]


async def test_a_watch_shows_a_bounded_set(estate: Estate) -> None:
    (each,) = assignments(await estate.diff(chain(1, tags=["btc"]), decline=True))
    await estate.write(lambda conn: _copies(conn, each.compute_key, queues_watches.SET_MAX))
    with pytest.raises(Exhausted, match="E_TOO_MANY_QUEUES"):
        await estate.db.read(lambda conn: queues_watches.snapshot(conn, QUERY))
    await estate.write(lambda conn: conn.execute(sa.delete(queues).where(queues.c.compute_key == each.compute_key)))
    found, _ = await estate.db.read(lambda conn: queues_watches.snapshot(conn, QUERY))
    assert len(found) == queues_watches.SET_MAX


def _copies(conn: Connection, compute_key: str, count: int) -> None:
    """As many more queues of the same node and world, under keys of their own."""
    row = dict(conn.execute(sa.select(queues).where(queues.c.compute_key == compute_key)).mappings().one())
    conn.execute(sa.insert(queues), [row | {"compute_key": f"blake3:{number:064x}"} for number in range(count)])
