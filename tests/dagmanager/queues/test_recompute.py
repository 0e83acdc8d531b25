"""Buffering after a schema change: due after seven days, over when new records cover the node's period."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from dagmanager.graph import reads
from dagmanager.plans import release
from dagmanager.queues import recompute
from dagmanager.queues.domain import recompute as recompute_domain
from dagmanager.queues.domain.recompute import RECOMPUTE_AFTER
from dagmanager.queues.events import Cause
from dagmanager.tables import buffering
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import NotFound
from qmtl.dag.v1 import diff_pb2 as diffpb
from tests.dagmanager.graph_store import GraphStore, assignments
from tests.dagmanager.graphs import NOW, context, node

DUE = controlpb.QUEUE_LIFECYCLE_STEP_RECOMPUTE_DUE
RECOMPUTED = controlpb.QUEUE_LIFECYCLE_STEP_RECOMPUTED
OLD = node("n", schema_hash="s1", period=4, interval_s=900)
NEW = replace(OLD, schema_hash="s2")
LATER = NOW + RECOMPUTE_AFTER
BAR = timedelta(seconds=900)


async def changed(graph_store: GraphStore, bars_before: int = 10) -> str:
    """A queue with bars in it whose node then changed its schema; returns its ComputeKey."""
    (each,) = assignments(await graph_store.diff([OLD], decline=True))
    if bars_before:
        await report(graph_store, each.compute_key, 0, bars_before - 1)
    await graph_store.diff([NEW], decline=True)
    return each.compute_key


async def report(graph_store: GraphStore, compute_key: str, first: int, last: int) -> None:
    rows = last - first + 1
    await graph_store.write(
        lambda conn: recompute.report_progress(
            conn, compute_key, NOW + first * BAR, NOW + last * BAR, rows, Cause(LATER)
        )
    )


async def sweep(graph_store: GraphStore, after: timedelta = RECOMPUTE_AFTER) -> int:
    return await graph_store.write(lambda conn: recompute.publish_due(conn, Cause(NOW + after)))


async def steps(graph_store: GraphStore) -> list[tuple[int, str, int]]:
    events = [event for event in await graph_store.events() if event.HasField("queue_lifecycle")]
    return [(event.queue_lifecycle.step, event.key, event.revision) for event in events]


async def buffers(graph_store: GraphStore) -> bool:
    found = await graph_store.db.read(lambda conn: reads.get_node(conn, OLD.node_id, None))
    return found.HasField("buffering_since")


async def test_recompute_is_due_after_seven_days_and_published_once(graph_store: GraphStore) -> None:
    key = await changed(graph_store)
    found = [
        await sweep(graph_store, RECOMPUTE_AFTER - timedelta(seconds=1)),
        await sweep(graph_store),
        await sweep(graph_store),
    ]
    assert found == [0, 1, 0]
    assert await steps(graph_store) == [(DUE, key, 1)]


async def test_it_stays_open_until_new_records_cover_the_period(graph_store: GraphStore) -> None:
    key = await changed(graph_store)
    await sweep(graph_store)
    await report(graph_store, key, 10, 12)
    assert await buffers(graph_store)
    await report(graph_store, key, 13, 13)
    assert not await buffers(graph_store)
    assert await steps(graph_store) == [(DUE, key, 1), (RECOMPUTED, key, 2)]
    again = await graph_store.diff([NEW], "s2", decline=True)
    assert assignments(again)[0].disposition == diffpb.DISPOSITION_REUSED


async def test_an_end_before_it_was_due_is_not_published(graph_store: GraphStore) -> None:
    key = await changed(graph_store)
    await report(graph_store, key, 10, 13)
    assert not await buffers(graph_store)
    assert await sweep(graph_store) == 0
    assert await steps(graph_store) == []


async def test_a_queue_with_nothing_in_it_is_covered_by_its_first_bars(graph_store: GraphStore) -> None:
    key = await changed(graph_store, bars_before=0)
    await report(graph_store, key, 0, 2)
    assert await buffers(graph_store)
    await report(graph_store, key, 3, 3)
    assert not await buffers(graph_store)


async def test_a_stored_answer_that_says_buffering_falls_with_its_end(graph_store: GraphStore) -> None:
    key = await changed(graph_store)
    assert (await graph_store.diff([NEW], decline=True)).summary.seen_before
    await report(graph_store, key, 10, 13)
    again = await graph_store.diff([NEW], decline=True)
    assert not again.summary.seen_before
    assert assignments(again)[0].disposition == diffpb.DISPOSITION_REUSED


async def test_the_node_buffers_as_long_as_one_of_its_queues_does(graph_store: GraphStore) -> None:
    await graph_store.diff([OLD], "other", [context("w2")], decline=True)
    key = await changed(graph_store)
    await report(graph_store, key, 10, 13)
    assert await buffers(graph_store)
    left = await graph_store.db.read(lambda conn: list(conn.execute(sa.select(buffering.c.compute_key)).scalars()))
    await report(graph_store, left[0], 0, 3)
    assert not await buffers(graph_store)


async def test_another_change_meanwhile_begins_the_count_again(graph_store: GraphStore) -> None:
    key = await changed(graph_store)
    await report(graph_store, key, 10, 12)
    await graph_store.diff([replace(OLD, schema_hash="s3")], decline=True)
    await report(graph_store, key, 13, 15)
    assert await buffers(graph_store)
    await report(graph_store, key, 16, 16)
    assert not await buffers(graph_store)


async def test_a_released_queue_is_nobodys_to_recompute(graph_store: GraphStore) -> None:
    await changed(graph_store)
    for version in (1, 2):
        await graph_store.write(lambda conn, of=version: release.release_plan(conn, "s1", of, "w1", Cause(NOW)))  # type: ignore[misc]  # default binds the loop's value
    assert await sweep(graph_store) == 0


async def test_progress_of_an_unknown_queue_is_refused(graph_store: GraphStore) -> None:
    with pytest.raises(NotFound):
        await report(graph_store, "blake3:0", 0, 1)


@pytest.mark.parametrize(
    ("after", "first", "last", "bars", "interval", "covered"),
    [
        (None, None, None, 3, 10, False),
        (None, 0, 10, 3, 10, False),
        (None, 0, 20, 3, 10, True),
        (100, 0, 120, 3, 10, False),
        (100, 0, 130, 3, 10, True),
        (100, 0, 100, 0, 10, False),
        (100, 0, 101, 0, 10, True),
        (100, 0, 101, 3, 0, True),
        (None, 5, 5, 0, 0, True),
    ],
)
def test_buffering_ends_when_new_records_reach_over_the_period(
    after: int | None, first: int | None, last: int | None, bars: int, interval: int, covered: bool
) -> None:
    assert recompute_domain.covers(after, first, last, bars, interval) is covered
