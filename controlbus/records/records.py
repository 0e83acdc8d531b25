"""Data records: the outputs of a ComputeKey, each bucket written once and read in order, whoever races or dies.

    queue = DataQueue(compute_key, "indicator", world_id, "BACKTEST")
    writer = await RecordWriter.open(bus, queue, tenure.epoch)       # tenure: see producer_leases
    writer.last                                                      # go on after last.to_ns, from its node state
    match await writer.publish(batch):                               # on Unavailable: the same batch again
        case Committed(sequence): ...
        case AlreadyCommitted(sequence, input_window_hash): ...      # another tenure was first
    async with aclosing(read_records(bus, queue, From.bucket(instant))) as records: ...

Every message names the sequence it follows, and the broker stores it only there. So of racing writers one wins, a
writer that was paused finds out, and a reader sees that nothing is missing between two messages.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import blake2b

import structlog

from controlbus.bus import Bus
from controlbus.coordination.tenures import lease_lost
from controlbus.jetstream.ordered_reader import Start, TooOld, check_had, control_info, read
from controlbus.records.data_queue import (
    PREVIOUS,
    DataQueue,
    From,
    Record,
    decoded,
    find_bucket,
    last_record,
    next_record,
    span,
)
from qmtl.core.errors import Conflict, Exhausted, InvalidRequest, NotReady, Violation
from qmtl.data.v1 import records_pb2 as recordspb

log = structlog.stdlib.get_logger("qmtl.controlbus.records")

BATCH_BYTES_MAX = 256 * 1024
STATE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Committed:
    """This batch is in the log, by this call or by an earlier try of it."""

    sequence: int


@dataclass(frozen=True, slots=True)
class AlreadyCommitted:
    """Its buckets are in the log from another writer; `conflict`: from other inputs."""

    sequence: int
    input_window_hash: str
    conflict: bool


Written = Committed | AlreadyCommitted


@dataclass(frozen=True, slots=True)
class Follows:
    """The last bucket of the log that a batch goes on from; None: it is the log's first."""

    to_ns: int | None


@dataclass(frozen=True, slots=True)
class _End:
    """The end of the log as a writer knows it."""

    sequence: int = 0
    epoch: int = 0
    to_ns: int | None = None

    @classmethod
    def of(cls, last: Record | None) -> _End:
        return cls(last.sequence, last.batch.writer_epoch, last.to_ns) if last else cls()


class RecordWriter:
    """Appends batches under one tenure, one publish at a time; it finds out by writing when it lost its lease."""

    def __init__(self, bus: Bus, queue: DataQueue, epoch: int, last: Record | None) -> None:
        self._bus = bus
        self._queue = queue
        self._subject = queue.subject
        self._epoch = epoch
        self._end = _End.of(last)
        self.last = last

    @classmethod
    async def open(cls, bus: Bus, queue: DataQueue, epoch: int) -> RecordWriter:
        """Look where the log ends; `last` is what a take-over goes on from. Raises NotReady, Conflict, Unavailable."""
        last = await last_record(bus, queue)
        if last is not None and last.batch.writer_epoch > epoch:
            raise lease_lost(queue.compute_key, epoch, f"epoch {last.batch.writer_epoch} has written")
        return cls(bus, queue, epoch, last)

    async def publish(self, batch: recordspb.RecordBatch, follows: Follows | None = None) -> Written:
        """Append a batch that begins after the last bucket of the log; what is there already is not written again.

        `follows`: refused unless the log ends there, as it does not when the broker lost its store; None: anywhere.

        Raises NotReady (E_LEASE_LOST: acquire again; E_BUCKET_ORDER: begins at or before the last bucket and is no
        repetition, or does not follow it), InvalidRequest, Exhausted (E_BATCH_TOO_LARGE), Conflict, and Unavailable:
        repeat the same batch.
        """
        body = _checked(self._queue, self._epoch, batch)
        message_id = blake2b(body, digest_size=16).hexdigest()
        if self._end.to_ns is not None and span(batch)[0] <= self._end.to_ns:
            return await self._written_before(batch, message_id)
        self._check_epoch()
        if follows is not None and follows.to_ns != self._end.to_ns:
            raise self._out_of_order(f"follows the bucket {follows.to_ns} ns, and the log ends at {self._end.to_ns} ns")
        expected = self._end.sequence
        try:
            sequence = await self._bus.publish(
                self._subject, body, msg_id=message_id, headers={PREVIOUS: str(expected)}, expected_last=expected
            )
        except Conflict:
            return await self._overtaken(batch, message_id)
        self._advance(_End(sequence, self._epoch, span(batch)[1]))
        return Committed(sequence)

    async def _overtaken(self, batch: recordspb.RecordBatch, message_id: str) -> Written:
        """The log ends elsewhere: by an earlier try of this batch, by another writer, or it lost its store."""
        last = await last_record(self._bus, self._queue)
        self._advance(_End.of(last))
        if last is not None and span(batch)[1] <= last.to_ns:
            return await self._written_before(batch, message_id)
        raise lease_lost(self._queue.compute_key, self._epoch, "another writer has written")

    async def _written_before(self, batch: recordspb.RecordBatch, message_id: str) -> Written:
        """One message of the log covers the whole range, else the batch overlaps what is there and is refused."""
        from_ns, to_ns = span(batch)
        there = await find_bucket(self._bus, self._queue, from_ns)
        if there is None or not (there.from_ns <= from_ns and to_ns <= there.to_ns):
            self._check_epoch()
            raise self._out_of_order(f"{from_ns}..{to_ns} ns begins at or before the last bucket, {self._end.to_ns} ns")
        if there.message_id == message_id:
            return Committed(there.sequence)
        conflict = there.batch.input_window_hash != batch.input_window_hash
        if conflict:
            self._bus.link.metrics.commit_conflicts.inc()
            log.error("bucket_computed_from_other_inputs", queue=self._subject, sequence=there.sequence)
        return AlreadyCommitted(there.sequence, there.batch.input_window_hash, conflict)

    def _out_of_order(self, why: str) -> NotReady:
        return NotReady(
            "E_BUCKET_ORDER",
            f"the batch {why}",
            hint="go on after the last bucket of the queue",
            metadata={"last_to_ns": str(self._end.to_ns), "last_sequence": str(self._end.sequence)},
        )

    def _check_epoch(self) -> None:
        if self._end.epoch > self._epoch:
            raise lease_lost(self._queue.compute_key, self._epoch, f"epoch {self._end.epoch} has written")

    def _advance(self, end: _End) -> None:
        before, self._end = self._end, end
        if 0 < before.epoch < end.epoch == self._epoch:
            self._bus.link.metrics.owners_reassigned.inc()
            log.info("producer_reassigned", queue=self._subject, epoch=self._epoch, before=before.epoch)


async def read_records(bus: Bus, queue: DataQueue, begin: From) -> AsyncGenerator[Record, None]:
    """The log from a place on, for ever, in order, each bucket once; resume with From.at(record.sequence + 1).

    A batch that holds the bucket asked for comes whole. Lower epochs and repeated buckets are left out and counted.
    Raises TooOld when messages after the place are not kept any more, InvalidRequest; close it with aclosing.
    """
    reader = _Reader(bus, queue)
    start = await reader.place(begin)
    messages = read(bus.link, [queue.subject], Start(after=start), queue.stream, check_had)
    async with aclosing(messages):
        async for sequence, message in messages:
            record = decoded(queue, sequence, message.data, message.headers or {})
            reader.check_whole(sequence, message.headers or {})
            if record is not None and reader.takes(record):
                yield record


class _Reader:
    """What a reader has seen: enough to notice what is missing and what must not come twice."""

    def __init__(self, bus: Bus, queue: DataQueue) -> None:
        self._bus = bus
        self._queue = queue
        self._wanted_after = 0  # every message of the queue behind this sequence is wanted
        self._first_kept = 0
        self._seen = False
        self._epoch = 0
        self._to_ns: int | None = None

    async def place(self, begin: From) -> int:
        """The sequence to read after. Raises TooOld, Unavailable."""
        state = (await control_info(self._bus.link, self._queue.stream)).state
        self._first_kept = state.first_seq
        if begin.sequence is not None:
            check_had(begin.sequence - 1, state)
            self._wanted_after = max(0, begin.sequence - 1)
        elif begin.bucket_ns is not None:
            first = await find_bucket(self._bus, self._queue, begin.bucket_ns)
            self._wanted_after = first.sequence - 1 if first else state.last_seq
            if first is not None and first.from_ns > begin.bucket_ns and first.previous:
                await self._check_kept(first)
        else:
            last = await last_record(self._bus, self._queue)
            self._wanted_after = last.sequence - 1 if last else state.last_seq
        return self._wanted_after

    async def _check_kept(self, first: Record) -> None:
        """The bucket lies before the first message found: was it dropped, or is there none?"""
        if await next_record(self._bus, self._queue, first.previous) != first:
            return  # the message before is there, and ends before the bucket
        raise TooOld(first.previous, self._first_kept, first.sequence)

    def check_whole(self, sequence: int, headers: dict[str, str]) -> None:
        """Raises TooOld when a message between the last one taken and this one was dropped unseen."""
        previous = int(headers.get(PREVIOUS, "0"))
        restarted = previous == 0 and (self._seen or self._first_kept > self._wanted_after + 1 > 1)
        if previous > self._wanted_after or restarted:
            raise TooOld(self._wanted_after, self._first_kept, sequence)
        self._wanted_after, self._seen = sequence, True

    def takes(self, record: Record) -> bool:
        ignored = self._bus.link.metrics.records_ignored
        if record.batch.writer_epoch < self._epoch:
            ignored.labels("epoch").inc()
            return False
        self._epoch = record.batch.writer_epoch
        if self._to_ns is not None and record.from_ns <= self._to_ns:
            ignored.labels("bucket").inc()
            return False
        self._to_ns = record.to_ns
        return True


def _checked(queue: DataQueue, epoch: int, batch: recordspb.RecordBatch) -> bytes:
    """The bytes of a batch this writer may write. Raises InvalidRequest, Exhausted."""
    from_ns, to_ns = span(batch)
    wrong = [
        *_violation(batch.compute_key != queue.compute_key, "compute_key", batch.compute_key, queue.compute_key),
        *_violation(batch.writer_epoch != epoch, "writer_epoch", str(batch.writer_epoch), str(epoch)),
        *_violation(not batch.HasField("start_time"), "start_time", "missing", "the open of the first bucket"),
        *_violation(not batch.HasField("end_time"), "end_time", "missing", "the open of the last bucket"),
        *_violation(to_ns < from_ns, "end_time", str(to_ns), f"at or after start_time, {from_ns}"),
        *_violation(not batch.input_window_hash, "input_window_hash", "empty", "blake3:<hex>"),
        *_violation(
            len(batch.node_state) > STATE_BYTES_MAX,
            "node_state",
            f"{len(batch.node_state)} bytes",
            f"at most {STATE_BYTES_MAX} bytes, else node_state_artifact",
        ),
    ]
    if wrong:
        raise InvalidRequest("E_RECORD_BATCH", str(wrong[0]), violations=wrong)
    body = batch.SerializeToString(deterministic=True)
    if len(body) > BATCH_BYTES_MAX:
        raise Exhausted("E_BATCH_TOO_LARGE", f"a batch of {len(body)} bytes, want at most {BATCH_BYTES_MAX}")
    return body


def _violation(broken: bool, field: str, value: str, want: str) -> list[Violation]:
    return [Violation(field, value, want)] if broken else []
