"""Shared nodes computed once: each one's queue is read first, and written by whoever has its producer lease.

A node's lease is asked for only when all its inputs are at hand and given up with its last bucket, so no two runners
can wait for each other. A runner that dies is followed by the next one from the state it left in its last record.
Reuse only ever saves work: whatever goes wrong with a queue, the node is computed here.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from qmtl.core.errors import Conflict, DeadlineExceeded, InvalidRequest, QmtlError, refused
from qmtl.core.identity.nodes import SemanticKind
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.data.v1 import records_pb2 as recordspb
from qmtl.gateway.v1 import queue_service_pb2 as queueservicepb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.binding import source_series
from qmtl.sdk.engine.batch import run_graph
from qmtl.sdk.engine.series import Outputs
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.vertices import FoldNode, Node
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.reuse.counts import ReuseCounts
from qmtl.sdk.mesh.reuse.node_work import ROWS_MAX, NodeProgress, NodeWork, QueueLease
from qmtl.wire.instants import ns_to_proto

LEASE_WAIT_S = 30.0
READ_WAIT_S = 10.0
_POLL_S = 0.2
BUILTIN = "builtin:"
log = logging.getLogger("qmtl.sdk.mesh.reuse")


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """What was made of a queue's records, up to one of them: its place in the queue and its last bucket."""

    progress: NodeProgress
    queue_sequence: int = 0
    bucket_ns: int | None = None


class SharedNodes:
    """The shared nodes of one submission."""

    def __init__(
        self,
        retrying: RetryingClient,
        strategy: strategypb.Strategy,
        world: str,
        keys: dict[str, str],
        record_rows_max: int = ROWS_MAX,
        read_wait_s: float = READ_WAIT_S,
    ) -> None:
        self._retrying = retrying
        self._client = retrying.client
        self._strategy_id = strategy.strategy_id
        self._world = world
        self._keys = keys
        self._record_rows_max = record_rows_max
        self._read_wait_s = read_wait_s
        self._run_id = uuid.uuid4().hex
        self.counts = ReuseCounts()

    async def outputs(self, dag: Dag, bars: Bars | Iterable[Bars]) -> Outputs:
        """Every vertex's series: shared nodes by their queues, the rest computed here; equal to batch_outputs.

        Raises InvalidRequest (E_NOT_DETERMINISTIC) for a node of the author's that does not repeat itself: nothing of
        it is published.
        """
        known = source_series(dag, bars)
        for vertex in dag.nodes:
            at_hand = all(item.node_id in known for item in vertex.inputs)
            shared = vertex.kind is SemanticKind.CAUSAL_STREAM and vertex.node_id in self._keys and at_hand
            if shared and isinstance(vertex, FoldNode | Node):
                name = dag.names[vertex.node_id]
                work = await asyncio.to_thread(NodeWork, vertex, name, [known[item.node_id] for item in vertex.inputs])
                if not _is_builtin(vertex) and not await asyncio.to_thread(work.repeats):
                    raise refused(
                        "E_NOT_DETERMINISTIC",
                        name,
                        "of other values when it is run again over the same inputs",
                        "values of its inputs alone",
                        hint="a node that remembers keeps that in its state: @node(state=...)",
                    )
                known[vertex.node_id] = (await self._node(work, name, self._keys[vertex.node_id])).series
        return await asyncio.to_thread(run_graph, dag, known)

    async def _node(self, work: NodeWork, name: str, key: str) -> NodeProgress:
        read = _Read(work.begin)
        try:
            deadline = self._retrying.clock.monotonic() + LEASE_WAIT_S
            while self._retrying.clock.monotonic() < deadline:
                read = await self._read(work, key, read)
                if work.finished(read.progress):
                    break
                lease = await self._acquire(key)
                if lease.acquired:
                    read = await self._read(work, key, read)
                    done = await self._produce(work, read.progress, QueueLease(key, lease.lease_epoch))
                    self.counts.count(name, read.progress.done, work.finished(read.progress))
                    return done
                await self._retrying.clock.sleep(_POLL_S)  # no event tells that a lease is free again
        except QmtlError as error:
            log.warning("queue of %s: %s; the node is computed here", name, error)
        self.counts.count(name, read.progress.done, work.finished(read.progress))
        return await asyncio.to_thread(_rest, work, read.progress)

    async def _read(self, work: NodeWork, key: str, read: _Read) -> _Read:
        """What the queue has of these very inputs, after what was read of it. Raises what _taken raises."""
        asked = queuecatalogueservicepb.GetQueueRequest(compute_key=key)
        queue = (await self._retrying.ask(lambda: self._client.queue_catalogue.GetQueue(asked), "queue")).queue
        last_ns = queue.last_bucket.ToNanoseconds()
        if not queue.HasField("last_bucket") or last_ns == read.bucket_ns:
            return read
        first = read.queue_sequence + 1
        request = queueservicepb.ReadQueueRequest(compute_key=key, world_id=self._world, start_queue_sequence=first)
        try:
            async with asyncio.timeout(self._read_wait_s):
                with scoped(self._client.queues.ReadQueue(request)) as replies:
                    async for reply in replies:
                        progress = self._taken(work, read.progress, reply.batch, key)
                        bucket_ns = reply.batch.end_time.ToNanoseconds()
                        read = _Read(progress, reply.queue_sequence, bucket_ns)
                        if work.finished(progress) or bucket_ns >= last_ns:
                            return read
        except TimeoutError:
            raise DeadlineExceeded("E_QUEUE_SILENT", f"the queue {key} did not come to its last bucket") from None
        return read

    def _taken(self, work: NodeWork, at: NodeProgress, batch: recordspb.RecordBatch, key: str) -> NodeProgress:
        """The progress with a record added. Raises Conflict (E_CROSS_CONTEXT, E_INPUT_WINDOW), E_RECORD_MALFORMED."""
        if batch.compute_key != key:  # of another world, domain or snapshot: using it would be a leak
            self.counts.foreign_records += 1
            raise Conflict("E_CROSS_CONTEXT", f"a record of {batch.compute_key} stands in the queue {key}")
        try:
            further = work.take(at, batch)
        except InvalidRequest:
            self.counts.malformed_records += 1
            raise
        if further is None:
            raise Conflict("E_INPUT_WINDOW", f"the queue {key} was made of other inputs")
        return further

    async def _acquire(self, key: str) -> queueservicepb.ProducerLease:
        request = queueservicepb.AcquireProducerRequest(
            compute_key=key, world_id=self._world, strategy_id=self._strategy_id, run_id=self._run_id
        )
        return (await self._retrying.ask(lambda: self._client.queues.AcquireProducer(request), "producer lease")).lease

    async def _produce(self, work: NodeWork, at: NodeProgress, key: QueueLease) -> NodeProgress:
        """Compute the rest and publish each batch as it is made; a lease that is lost ends the publishing only."""
        rest, publishing = work.compute(at, key, self._record_rows_max), True
        while (made := await asyncio.to_thread(next, rest, None)) is not None:
            follows_ns = work.last_bucket_ns(at)
            at, batch = made
            publishing = publishing and await self._published(batch, follows_ns)
        return at

    async def _published(self, batch: recordspb.RecordBatch, follows_ns: int | None) -> bool:
        """Whether it stands in the queue, where the record before it ended at `follows_ns`; None: it is the first."""
        follows = {"follows_nothing": True} if follows_ns is None else {"follows_end_time": ns_to_proto(follows_ns)}
        request = queueservicepb.PublishRecordsRequest(batch=batch, **follows)
        try:
            await self._retrying.ask(lambda: self._client.queues.PublishRecords(_sent(request)), "publish")
        except QmtlError as error:
            log.warning("records of %s are not published: %s", batch.compute_key, error)
            return False
        return True


async def _sent(
    request: queueservicepb.PublishRecordsRequest,
) -> AsyncIterator[queueservicepb.PublishRecordsRequest]:
    yield request


def _rest(work: NodeWork, at: NodeProgress) -> NodeProgress:
    for further, _ in work.compute(at, QueueLease("", 0)):
        at = further
    return at


def _is_builtin(vertex: FoldNode | Node) -> bool:
    return isinstance(vertex, FoldNode) and vertex.fold.code_hash.startswith(BUILTIN)
