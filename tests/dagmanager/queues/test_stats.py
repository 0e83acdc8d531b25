"""Depth and last sequence from the broker, last bucket and lag from the catalogue."""

from __future__ import annotations

from datetime import timedelta

import pytest

from controlbus.bus import connected
from controlbus.records.data_queue import DataQueue
from controlbus.records.records import RecordWriter
from dagmanager.queues.stats import lag_of
from qmtl.core.errors import InvalidRequest, NotFound
from qmtl.core.identity.nodes import QueueClass
from qmtl.core.roles import Role
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.dag.v1 import queue_progress_service_pb2 as queueprogressservicepb
from tests.dagmanager.garbage.collection import record_batch
from tests.dagmanager.graphs import NOW, chain, context
from tests.dagmanager.serving import Served, asking, diff_request


async def test_a_queue_has_the_brokers_numbers_and_the_catalogues(served: Served, nats_url: str) -> None:
    async with served.stub(role=Role.READER) as stub, connected(nats_url, service="t") as bus:
        nodes = chain(2, "stats", queue_class=QueueClass.RAW)
        request = diff_request(nodes, "r", "s", [context("stats-world")])
        keys = [
            each.compute_key async for reply in stub.diffs.Diff(asking(request)) for each in reply.chunk.assignments
        ]
        queue = DataQueue(keys[0], "raw", "stats-world", "BACKTEST")
        writer = await RecordWriter.open(bus, queue, 1)
        await writer.publish(record_batch(queue, 0, 1))
        last = await writer.publish(record_batch(queue, 2, 3))
        report = queueprogressservicepb.ReportQueueProgressRequest(compute_key=keys[0], rows=4)
        report.first_bucket.FromDatetime(NOW)
        report.last_bucket.FromDatetime(NOW + timedelta(seconds=2_700))
        await stub.queue_progress.ReportQueueProgress(report)
        empty, full = (
            await stub.queues.GetQueueStats(queuecatalogueservicepb.GetQueueStatsRequest(compute_keys=keys[::-1]))
        ).stats
    assert (full.compute_key, full.depth, full.last_queue_sequence) == (keys[0], 2, last.sequence)
    assert full.last_bucket == report.last_bucket
    assert (empty.depth, empty.last_queue_sequence, empty.HasField("lag"), empty.HasField("last_bucket")) == (
        0,
        0,
        False,
        False,
    )


async def test_unknown_too_many_and_foreign_queues_are_refused(served: Served) -> None:
    async with served.stub() as gateway:
        request = diff_request(chain(1), "r", "s", [context("w2")])
        keys = [
            each.compute_key async for reply in gateway.diffs.Diff(asking(request)) for each in reply.chunk.assignments
        ]
    async with served.stub(role=Role.READER, worlds=["w1"]) as stub:
        with pytest.raises(NotFound) as unknown:
            await stub.queues.GetQueueStats(
                queuecatalogueservicepb.GetQueueStatsRequest(compute_keys=["blake3:7", "blake3:0"])
            )
        assert unknown.value.metadata["compute_key"] == "blake3:7"
        with pytest.raises(InvalidRequest):
            await stub.queues.GetQueueStats(queuecatalogueservicepb.GetQueueStatsRequest(compute_keys=["k"] * 1_001))
        with pytest.raises(NotFound) as foreign:
            await stub.queues.GetQueueStats(queuecatalogueservicepb.GetQueueStatsRequest(compute_keys=keys))
        assert foreign.value.message == f"no queue {keys[0]!r}"


def test_the_lag_counts_from_the_end_of_the_last_bucket() -> None:
    assert lag_of(NOW, 900, NOW + timedelta(seconds=1_000)) == timedelta(seconds=100)
    assert lag_of(NOW, 900, NOW + timedelta(seconds=800)) == timedelta(0)
