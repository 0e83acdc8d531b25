"""Queues with records in a real JetStream, released and aged: what garbage collection is tried on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.ipc
from prometheus_client import CollectorRegistry

from controlbus.bus import Bus
from controlbus.records.data_queue import DataQueue
from controlbus.records.records import RecordWriter
from dagmanager.garbage.collector import Collector, Limits
from dagmanager.metrics import GraphMetrics
from dagmanager.plans import release as plans_release
from dagmanager.queues import reads, recompute
from dagmanager.queues.events import Cause
from qmtl.core.clock import VirtualClock
from qmtl.core.identity.nodes import DagNode, QueueClass
from qmtl.dag.v1 import queue_pb2 as queuepb
from qmtl.data.v1 import records_pb2 as recordspb
from tests.dagmanager.graph_store import GraphStore, assignments
from tests.dagmanager.graphs import NOW, context, node

BAR = timedelta(seconds=900)


class CollectorHarness:
    """A graph, a broker and the collector over both, in a world nobody else uses."""

    def __init__(self, graph_store: GraphStore, bus: Bus, root: Path | str, **limits: int) -> None:
        self.graph_store = graph_store
        self.bus = bus
        self.world = f"w-{uuid4().hex[:12]}"
        self.clock = VirtualClock(NOW)
        self.root = str(root)
        words = {"batch": 50, "archive_bytes_max": 1 << 20, "storage_bytes_max": 0} | limits
        self.collector = Collector(
            graph_store.db, bus, self.clock, Limits(self.root, **words), GraphMetrics(CollectorRegistry())
        )

    async def queue(self, name: str, queue_class: QueueClass = QueueClass.TRADE, **words: Sequence[str]) -> DataQueue:
        """A queue of a strategy of its own, named like it."""
        made = node(name, queue_class=queue_class, tags=words.get("tags", ()))
        return await self.take_up(name, made)

    async def take_up(self, strategy_id: str, made: DagNode) -> DataQueue:
        answer = await self.graph_store.diff([made], strategy_id, [context(self.world)], decline=True)
        (each,) = assignments(answer)
        return DataQueue(each.compute_key, made.queue_class.value.lower(), self.world, "BACKTEST")

    async def write(self, queue: DataQueue, first: int, last: int, *, counted: int | None = None) -> int:
        """Records of the bars first to last at the broker, and in the catalogue; returns their sequence."""
        writer = await RecordWriter.open(self.bus, queue, 1)
        batch = record_batch(queue, first, last)
        written = await writer.publish(batch)
        rows = last - first + 1 if counted is None else counted
        if rows:
            await self.graph_store.write(
                lambda conn: recompute.report_progress(
                    conn, queue.compute_key, NOW + first * BAR, NOW + last * BAR, rows, Cause(NOW)
                )
            )
        return written.sequence

    async def release(self, strategy_id: str, at: datetime = NOW) -> None:
        await self.graph_store.write(
            lambda conn: plans_release.release_plan(conn, strategy_id, 1, self.world, Cause(at))
        )

    async def state(self, queue: DataQueue) -> queuepb.Queue:
        return await self.graph_store.db.read(lambda conn: reads.get_queue(conn, queue.compute_key))

    async def held(self, subject: str, stream: str) -> int:
        """Messages of a subject at the broker."""
        info = await self.bus.link.ask(self.bus.link.js.stream_info(stream, subjects_filter=subject))
        return (info.state.subjects or {}).get(subject, 0)

    async def records(self, queue: DataQueue) -> int:
        return await self.held(queue.subject, queue.stream)


def after(**words: float) -> Cause:
    """A moment after everything was released."""
    return Cause(NOW + timedelta(**words))


def record_batch(queue: DataQueue, first: int, last: int) -> recordspb.RecordBatch:
    """One row per bar."""
    rows = pa.table({"bucket": list(range(first, last + 1)), "value": [each / 2 for each in range(first, last + 1)]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    batch = recordspb.RecordBatch(compute_key=queue.compute_key, writer_epoch=1, input_window_hash="blake3:00")
    batch.arrow_ipc = sink.getvalue().to_pybytes()
    batch.end_time.FromDatetime(NOW + last * BAR)
    batch.start_time.FromDatetime(NOW + first * BAR)
    return batch
