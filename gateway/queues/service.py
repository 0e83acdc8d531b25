"""RPCs of data queues: leases of producers, records written once per bucket and read from any place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from controlbus.coordination.tenures import TTL_S, Tenure
from controlbus.records.data_queue import From, span
from controlbus.records.records import AlreadyCommitted, Follows, RecordWriter, Written, read_records
from gateway.queues.catalogue import KnownQueue, QueueCatalogue
from qmtl.core.errors import Exhausted, InvalidRequest, QmtlError, Unavailable, Violation
from qmtl.data.v1 import records_pb2 as recordspb
from qmtl.gateway.v1 import queue_service_pb2 as queueservicepb
from qmtl.gateway.v1 import queue_service_pb2_grpc as queuerpc
from qmtl.rpc.auth.call import require_user
from qmtl.rpc.server.streaming import until_set
from qmtl.wire.instants import instant_from_proto, instant_to_proto, ns_from_proto

QUEUES_PER_CALL = 256
TRIES = 5


@dataclass(slots=True)
class OpenQueue:
    """One queue a call writes, and the buckets it has committed."""

    queue: KnownQueue
    writer: RecordWriter
    first_ns: int | None = None
    last_ns: int = 0


@dataclass(slots=True)
class PublishedCounts:
    """What a call of PublishRecords has written, by queue and lease epoch."""

    opened: dict[tuple[str, int], OpenQueue] = field(default_factory=dict)
    committed: int = 0
    already: int = 0
    last_sequence: int = 0


class QueueServicer(queuerpc.QueueServiceServicer):
    """Data queues of the caller's worlds; see queue_service.proto for what each call does."""

    def __init__(self, queues: QueueCatalogue, draining: asyncio.Event) -> None:
        self._queues = queues
        self._draining = draining

    async def AcquireProducer(
        self, request: queueservicepb.AcquireProducerRequest, context: object
    ) -> queueservicepb.AcquireProducerResponse:
        queues = self._queues
        queue = await queues.writable(request.compute_key, request.world_id)
        await queues.check_bound(queue, request.strategy_id)
        holder = "/".join((require_user().subject, request.strategy_id, request.run_id))
        tenure = await queues.leases.acquire(request.compute_key, holder[:200], TTL_S)
        return queueservicepb.AcquireProducerResponse(lease=_lease(tenure))

    async def RenewProducer(
        self, request: queueservicepb.RenewProducerRequest, context: object
    ) -> queueservicepb.RenewProducerResponse:
        await self._queues.writable(request.compute_key)
        tenure = await self._queues.leases.renew(request.compute_key, request.lease_epoch, TTL_S)
        return queueservicepb.RenewProducerResponse(lease=_lease(tenure))

    async def PublishRecords(
        self, request_iterator: AsyncIterator[queueservicepb.PublishRecordsRequest], context: object
    ) -> queueservicepb.PublishRecordsResponse:
        counts = PublishedCounts()
        try:
            async for request in request_iterator:
                await self._publish(counts, request.batch, _follows(request))
        finally:
            await self._report(counts)
        return queueservicepb.PublishRecordsResponse(
            committed=counts.committed, already_committed=counts.already, last_queue_sequence=counts.last_sequence
        )

    async def ReadQueue(
        self, request: queueservicepb.ReadQueueRequest, context: object
    ) -> AsyncIterator[queueservicepb.ReadQueueResponse]:
        queue = await self._queues.readable(request.compute_key, request.world_id)
        records = read_records(self._queues.bus, queue.data, _begin(request))
        async with aclosing(until_set(self._draining, records)) as shown:
            async for record in shown:
                yield queueservicepb.ReadQueueResponse(batch=record.batch, queue_sequence=record.sequence)
        if self._draining.is_set():
            raise Unavailable("E_GOING_AWAY", "the gateway stops", hint="go on after the last record")

    async def _publish(self, counts: PublishedCounts, batch: recordspb.RecordBatch, follows: Follows | None) -> None:
        from controlbus.records.form import check_form  # Arrow takes 50 MB, which a gateway without producers spares

        key = batch.compute_key, batch.writer_epoch
        opened = counts.opened.get(key)
        if opened is None:
            if len(counts.opened) >= QUEUES_PER_CALL:
                raise Exhausted("E_TOO_MANY_QUEUES", f"one call writes at most {QUEUES_PER_CALL} queues")
            queue = await self._queues.writable(batch.compute_key)
            writer = await RecordWriter.open(self._queues.bus, queue.data, batch.writer_epoch)
            opened = counts.opened[key] = OpenQueue(queue, writer)
        check_form(batch)
        written = await self._written(opened.writer, batch, follows)
        counts.last_sequence = max(counts.last_sequence, written.sequence)
        if isinstance(written, AlreadyCommitted):
            counts.already += 1
            return
        counts.committed += 1
        first_ns, opened.last_ns = span(batch)
        opened.first_ns = first_ns if opened.first_ns is None else opened.first_ns

    async def _written(self, writer: RecordWriter, batch: recordspb.RecordBatch, follows: Follows | None) -> Written:
        """Publish a batch; while the broker is away, the same again for a while."""
        bus = self._queues.bus
        for _ in range(TRIES - 1):
            try:
                return await writer.publish(batch, follows)
            except Unavailable:
                await bus.link.pause()
        return await writer.publish(batch, follows)

    async def _report(self, counts: PublishedCounts) -> None:
        """The catalogue hears of it when it can: what is written is in the log, whatever it says."""
        for opened in counts.opened.values():
            if opened.first_ns is not None:
                with suppress(QmtlError):
                    await self._queues.report(opened.queue, opened.first_ns, opened.last_ns)


def _lease(tenure: Tenure) -> queueservicepb.ProducerLease:
    return queueservicepb.ProducerLease(
        compute_key=tenure.name,
        lease_epoch=tenure.epoch,
        expires_at=instant_to_proto(tenure.expires_at),
        acquired=tenure.acquired,
        holder="" if tenure.acquired else tenure.holder,
    )


def _follows(request: queueservicepb.PublishRecordsRequest) -> Follows | None:
    """What the producer goes on from; None where it does not say."""
    match request.WhichOneof("follows"):
        case "follows_end_time":
            return Follows(ns_from_proto(request.follows_end_time, "follows_end_time"))
        case "follows_nothing" if request.follows_nothing:
            return Follows(None)
    return None


def _begin(request: queueservicepb.ReadQueueRequest) -> From:
    """Raises InvalidRequest (E_POSITION)."""
    match request.WhichOneof("position"):
        case "start_time":
            return From.bucket(instant_from_proto(request.start_time, "start_time"))
        case "start_queue_sequence" if request.start_queue_sequence > 0:
            return From.at(request.start_queue_sequence)
        case "last" if request.last:
            return From.LAST
    violation = Violation("position", "missing", "start_time, start_queue_sequence above 0, or last")
    raise InvalidRequest("E_POSITION", str(violation), violations=(violation,))
