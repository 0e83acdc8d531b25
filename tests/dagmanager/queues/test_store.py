"""What was written to a queue is counted once."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from dagmanager.queues import reads
from dagmanager.queues import store as queues_store
from dagmanager.tables import queues
from qmtl.core.errors import InvalidRequest, NotReady
from qmtl.dag.v1 import queue_pb2 as queuepb
from tests.dagmanager.graph_store import GraphStore, assignments
from tests.dagmanager.graphs import NOW, node


async def test_progress_counts_each_range_once(graph_store: GraphStore) -> None:
    (each,) = assignments(await graph_store.diff([node("n")]))
    hour = timedelta(hours=1)

    async def report(first: int, last: int, rows: int) -> queuepb.Queue:
        await graph_store.write(
            lambda conn: queues_store.report_progress(
                conn, each.compute_key, NOW + first * hour, NOW + last * hour, rows
            )
        )
        return await graph_store.db.read(lambda conn: reads.get_queue(conn, each.compute_key))

    assert (await report(0, 3, 4)).rows == 4
    assert (await report(0, 3, 4)).rows == 4
    found = await report(4, 5, 2)
    assert (found.rows, found.first_bucket.seconds, found.last_bucket.seconds) == (
        6, int(NOW.timestamp()), int((NOW + 5 * hour).timestamp())
    )  # fmt: skip
    for overlapping, empty in ((5, 2), (9, 2), (6, 0)):
        with pytest.raises(InvalidRequest, match="E_PROGRESS"):
            await report(overlapping, 6, empty)
    await graph_store.write(lambda conn: conn.execute(sa.update(queues).values(state="DROPPED")))
    with pytest.raises(NotReady, match="E_QUEUE_DROPPED"):
        await report(6, 7, 2)
