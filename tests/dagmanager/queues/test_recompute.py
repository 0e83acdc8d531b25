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
from tests.dagmanager.estate import Estate, assignments
from tests.dagmanager.graphs import NOW, context, node

DUE = controlpb.QUEUE_LIFECYCLE_STEP_RECOMPUTE_DUE
RECOMPUTED = controlpb.QUEUE_LIFECYCLE_STEP_RECOMPUTED
OLD = node("n", schema_hash="s1", period=4, interval_s=900)
NEW = replace(OLD, schema_hash="s2")
LATER = NOW + RECOMPUTE_AFTER
BAR = timedelta(seconds=900)


async def changed(estate: Estate, bars_before: int = 10) -> str:
    """A queue with bars in it whose node then changed its schema; returns its ComputeKey."""
    (each,) = assignments(await estate.diff([OLD], decline=True))
    if bars_before:
        await report(estate, each.compute_key, 0, bars_before - 1)
    await estate.diff([NEW], decline=True)
    return each.compute_key


async def report(estate: Estate, compute_key: str, first: int, last: int) -> None:
    rows = last - first + 1
    await estate.write(
        lambda conn: recompute.report_progress(
            conn, compute_key, NOW + first * BAR, NOW + last * BAR, rows, Cause(LATER)
        )
    )


async def sweep(estate: Estate, after: timedelta = RECOMPUTE_AFTER) -> int:
    return await estate.write(lambda conn: recompute.publish_due(conn, Cause(NOW + after)))


async def steps(estate: Estate) -> list[tuple[int, str, int]]:
    events = [event for event in await estate.events() if event.HasField("queue_lifecycle")]
    return [(event.queue_lifecycle.step, event.key, event.revision) for event in events]


async def buffers(estate: Estate) -> bool:
    found = await estate.db.read(lambda conn: reads.get_node(conn, OLD.node_id, None))
    return found.HasField("buffering_since")


async def test_recompute_is_due_after_seven_days_and_published_once(estate: Estate) -> None:
    key = await changed(estate)
    found = [await sweep(estate, RECOMPUTE_AFTER - timedelta(seconds=1)), await sweep(estate), await sweep(estate)]
    assert found == [0, 1, 0]
    assert await steps(estate) == [(DUE, key, 1)]


async def test_it_stays_open_until_new_records_cover_the_period(estate: Estate) -> None:
    key = await changed(estate)
    await sweep(estate)
    await report(estate, key, 10, 12)
    assert await buffers(estate)
    await report(estate, key, 13, 13)
    assert not await buffers(estate)
    assert await steps(estate) == [(DUE, key, 1), (RECOMPUTED, key, 2)]
    again = await estate.diff([NEW], "s2", decline=True)
    assert assignments(again)[0].disposition == diffpb.DISPOSITION_REUSED


async def test_an_end_before_it_was_due_is_not_published(estate: Estate) -> None:
    key = await changed(estate)
    await report(estate, key, 10, 13)
    assert not await buffers(estate)
    assert await sweep(estate) == 0
    assert await steps(estate) == []


async def test_a_queue_with_nothing_in_it_is_covered_by_its_first_bars(estate: Estate) -> None:
    key = await changed(estate, bars_before=0)
    await report(estate, key, 0, 2)
    assert await buffers(estate)
    await report(estate, key, 3, 3)
    assert not await buffers(estate)


async def test_a_stored_answer_that_says_buffering_falls_with_its_end(estate: Estate) -> None:
    key = await changed(estate)
    assert (await estate.diff([NEW], decline=True)).summary.seen_before
    await report(estate, key, 10, 13)
    again = await estate.diff([NEW], decline=True)
    assert not again.summary.seen_before
    assert assignments(again)[0].disposition == diffpb.DISPOSITION_REUSED


async def test_the_node_buffers_as_long_as_one_of_its_queues_does(estate: Estate) -> None:
    await estate.diff([OLD], "other", [context("w2")], decline=True)
    key = await changed(estate)
    await report(estate, key, 10, 13)
    assert await buffers(estate)
    left = await estate.db.read(lambda conn: list(conn.execute(sa.select(buffering.c.compute_key)).scalars()))
    await report(estate, left[0], 0, 3)
    assert not await buffers(estate)


async def test_another_change_meanwhile_begins_the_count_again(estate: Estate) -> None:
    key = await changed(estate)
    await report(estate, key, 10, 12)
    await estate.diff([replace(OLD, schema_hash="s3")], decline=True)
    await report(estate, key, 13, 15)
    assert await buffers(estate)
    await report(estate, key, 16, 16)
    assert not await buffers(estate)


async def test_a_released_queue_is_nobodys_to_recompute(estate: Estate) -> None:
    await changed(estate)
    for version in (1, 2):
        await estate.write(lambda conn, of=version: release.release_plan(conn, "s1", of, "w1", Cause(NOW)))  # type: ignore[misc]  # default binds the loop's value
    assert await sweep(estate) == 0


async def test_progress_of_an_unknown_queue_is_refused(estate: Estate) -> None:
    with pytest.raises(NotFound):
        await report(estate, "blake3:0", 0, 1)


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
