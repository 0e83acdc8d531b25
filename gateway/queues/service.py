"""RPCs of data queues and fills: leases of producers, records written once per bucket, fills reported and replayed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from controlbus.jetstream.ordered_reader import Start, TooOld, read
from controlbus.jetstream.subjects import fills_subject
from controlbus.records.data_queue import From, span
from controlbus.records.producer_leases import TTL_S, Tenure
from controlbus.records.records import AlreadyCommitted, RecordWriter, Written, read_records
from gateway.doors import Doors
from gateway.queues.catalogue import KnownQueue
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.core.errors import Exhausted, InvalidRequest, NotFound, QmtlError, Unavailable, Violation
from qmtl.core.roles import Role
from qmtl.data.v1 import data_pb2 as datapb
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as servicepb
from qmtl.rpc.auth.call import require_user
from qmtl.wire.instants import instant_from_proto, instant_to_proto

QUEUES_PER_CALL = 256
TRIES = 5
FILLS_PER_MESSAGE = 200
FILLS_STREAM = "FILLS"
T = TypeVar("T")


@dataclass(slots=True)
class OpenQueue:
    """One queue a call writes, and the buckets it has committed."""

    queue: KnownQueue
    writer: RecordWriter
    first_ns: int | None = None
    last_ns: int = 0


@dataclass(slots=True)
class Tally:
    """What a call of PublishRecords came to."""

    pens: dict[tuple[str, int], OpenQueue] = field(default_factory=dict)
    committed: int = 0
    already: int = 0
    last_sequence: int = 0


class QueueCalls:
    """Data queues and fills of the caller's worlds."""

    _doors: Doors

    async def AcquireProducer(
        self, request: servicepb.AcquireProducerRequest, context: object
    ) -> servicepb.AcquireProducerResponse:
        queues = self._doors.queues
        queue = await queues.writable(request.compute_key, request.world_id)
        await queues.check_bound(queue, request.strategy_id)
        holder = "/".join((require_user().subject, request.strategy_id, request.run_id))
        tenure = await queues.leases.acquire(request.compute_key, holder[:200], TTL_S)
        return servicepb.AcquireProducerResponse(lease=_lease(tenure))

    async def RenewProducer(
        self, request: servicepb.RenewProducerRequest, context: object
    ) -> servicepb.RenewProducerResponse:
        await self._doors.queues.writable(request.compute_key)
        tenure = await self._doors.queues.leases.renew(request.compute_key, request.epoch, TTL_S)
        return servicepb.RenewProducerResponse(lease=_lease(tenure))

    async def PublishRecords(
        self, request_iterator: AsyncIterator[servicepb.PublishRecordsRequest], context: object
    ) -> servicepb.PublishRecordsResponse:
        tally = Tally()
        try:
            async for request in request_iterator:
                await self._publish(tally, request.batch)
        finally:
            await self._report(tally)
        return servicepb.PublishRecordsResponse(
            committed=tally.committed, already_committed=tally.already, last_sequence=tally.last_sequence
        )

    async def ReadQueue(
        self, request: servicepb.ReadQueueRequest, context: object
    ) -> AsyncIterator[servicepb.ReadQueueResponse]:
        queue = await self._doors.queues.readable(request.compute_key, request.world_id)
        records = read_records(self._doors.queues.bus, queue.data, _begin(request))
        async with aclosing(_until(self._doors.draining, records)) as shown:
            async for record in shown:
                yield servicepb.ReadQueueResponse(batch=record.batch, sequence=record.sequence)

    async def ReportFills(
        self, request_iterator: AsyncIterator[servicepb.ReportFillsRequest], context: object
    ) -> servicepb.ReportFillsResponse:
        call = self._doors.peers.broker.BookFills()
        try:
            async for request in request_iterator:
                await self._doors.access.require(request.fill.world_id, Role.OPERATOR)
                await call.write(brokerservicepb.BookFillsRequest(fills=[request.fill]))
            await call.done_writing()
            booked = await call
        finally:
            call.cancel()
        return servicepb.ReportFillsResponse(booked=booked.booked, duplicates=booked.duplicates)

    async def ReplayFills(
        self, request: servicepb.ReplayFillsRequest, context: object
    ) -> AsyncIterator[servicepb.ReplayFillsResponse]:
        fills: list[brokerpb.Fill] = []
        async with aclosing(self._fills(await self._account(request.account))) as logged:
            expected = request.after_sequence + 1
            async for fill in logged:
                if fill.sequence < expected:
                    continue
                if fill.sequence > expected:
                    raise TooOld(request.after_sequence, fill.sequence, fill.sequence)
                expected += 1
                fills.append(fill)
                if len(fills) == FILLS_PER_MESSAGE:
                    yield servicepb.ReplayFillsResponse(fills=fills)
                    fills = []
        if fills:
            yield servicepb.ReplayFillsResponse(fills=fills)

    async def _publish(self, tally: Tally, batch: datapb.RecordBatch) -> None:
        key = batch.compute_key, batch.writer_epoch
        pen = tally.pens.get(key)
        if pen is None:
            if len(tally.pens) >= QUEUES_PER_CALL:
                raise Exhausted("E_TOO_MANY_QUEUES", f"one call writes at most {QUEUES_PER_CALL} queues")
            queue = await self._doors.queues.writable(batch.compute_key)
            writer = await RecordWriter.open(self._doors.queues.bus, queue.data, batch.writer_epoch)
            pen = tally.pens[key] = OpenQueue(queue, writer)
        written = await self._written(pen.writer, batch)
        tally.last_sequence = max(tally.last_sequence, written.sequence)
        if isinstance(written, AlreadyCommitted):
            tally.already += 1
            return
        tally.committed += 1
        first_ns, pen.last_ns = span(batch)
        pen.first_ns = first_ns if pen.first_ns is None else pen.first_ns

    async def _written(self, writer: RecordWriter, batch: datapb.RecordBatch) -> Written:
        """Publish a batch; while the broker is away, the same again for a while."""
        bus = self._doors.queues.bus
        for _ in range(TRIES - 1):
            try:
                return await writer.publish(batch)
            except Unavailable:
                await bus.link.pause()
        return await writer.publish(batch)

    async def _report(self, tally: Tally) -> None:
        """The catalogue hears of it when it can: what is written is in the log, whatever it says."""
        for pen in tally.pens.values():
            if pen.first_ns is not None:
                with suppress(QmtlError):
                    await self._doors.queues.report(pen.queue, pen.first_ns, pen.last_ns)

    async def _account(self, name: str) -> brokerpb.Account:
        """An account the caller may read. Raises NotFound (E_ACCOUNT_UNKNOWN)."""
        venue = await self._doors.peers.broker.GetVenueStatus(brokerservicepb.GetVenueStatusRequest())
        found = next((account for account in venue.accounts if account.account == name), None)
        if found is None:
            raise NotFound("E_ACCOUNT_UNKNOWN", f"no account {name!r} that you may read")
        return found

    async def _fills(self, account: brokerpb.Account) -> AsyncGenerator[brokerpb.Fill, None]:
        """The account's fills as they are in the log now."""
        link, subject = self._doors.queues.bus.link, fills_subject(account.world_id, account.account)
        last = await link.find(link.js.get_last_msg(FILLS_STREAM, subject))
        if last is None:
            return
        async with aclosing(read(link, [subject], Start.ALL, FILLS_STREAM)) as messages:
            async for sequence, message in messages:
                yield brokerpb.Fill.FromString(message.data)
                if sequence >= (last.seq or 0):
                    return


def _lease(tenure: Tenure) -> gatewaypb.ProducerLease:
    return gatewaypb.ProducerLease(
        compute_key=tenure.compute_key,
        epoch=tenure.epoch,
        expires_at=instant_to_proto(tenure.expires_at),
        acquired=tenure.acquired,
        holder="" if tenure.acquired else tenure.holder,
    )


def _begin(request: servicepb.ReadQueueRequest) -> From:
    """Raises InvalidRequest (E_POSITION)."""
    match request.WhichOneof("position"):
        case "from_bucket":
            return From.bucket(instant_from_proto(request.from_bucket, "from_bucket"))
        case "from_sequence" if request.from_sequence > 0:
            return From.at(request.from_sequence)
        case "last" if request.last:
            return From.LAST
    violation = Violation("position", "missing", "from_bucket, from_sequence above 0, or last")
    raise InvalidRequest("E_POSITION", str(violation), violations=(violation,))


async def _until(draining: asyncio.Event, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """Items until the gateway drains. Raises Unavailable (E_GOING_AWAY) then."""
    stop = asyncio.create_task(draining.wait())
    async with aclosing(items):
        try:
            while True:
                step = asyncio.ensure_future(anext(items, None))
                try:
                    await asyncio.wait({step, stop}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not step.done():
                        step.cancel()
                        await asyncio.gather(step, return_exceptions=True)
                if step.cancelled():
                    raise Unavailable("E_GOING_AWAY", "the gateway stops", hint="go on after the last record")
                item = step.result()
                if item is None:
                    return
                yield item
        finally:
            stop.cancel()
