"""The log of one ComputeKey at the broker: its subject, its stored batches, its end, and the batch of a bucket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import structlog
from google.protobuf.message import DecodeError
from nats.js.api import RawStreamMsg

from controlbus.bus import Bus
from controlbus.events.control_event import MESSAGE_ID
from controlbus.jetstream.ordered_reader import control_info
from controlbus.jetstream.subjects import compute_digest, data_subject
from qmtl.core.errors import Conflict
from qmtl.data.v1 import records_pb2 as recordspb

log = structlog.stdlib.get_logger("qmtl.controlbus.records")

PREVIOUS = "Qmtl-Previous"  # sequence of the message before this one in its queue, 0 for the first


@dataclass(frozen=True, slots=True)
class DataQueue:
    """The queue of one ComputeKey. Raises InvalidRequest (E_BUS_CLASS, E_BUS_KEY) when its subject is asked for."""

    compute_key: str
    data_class: str
    world_id: str
    domain: str

    @property
    def subject(self) -> str:
        return data_subject(self.data_class, self.world_id, self.domain, self.compute_key)

    @property
    def stream(self) -> str:
        return f"DATA_{self.data_class.upper()}"


@dataclass(frozen=True, slots=True)
class Record:
    """One stored batch: where it is, what it follows, and the instants of its first and last bucket."""

    sequence: int
    previous: int
    message_id: str
    from_ns: int
    to_ns: int
    batch: recordspb.RecordBatch


@dataclass(frozen=True, slots=True)
class From:
    """Where a reader begins: From.bucket(instant), From.at(sequence), or From.LAST, each included."""

    bucket_ns: int | None = None
    sequence: int | None = None

    LAST: ClassVar[From]

    @classmethod
    def bucket(cls, instant: datetime) -> From:
        stamp = recordspb.RecordBatch().end_time
        stamp.FromDatetime(instant.astimezone(UTC))
        return cls(bucket_ns=stamp.ToNanoseconds())

    @classmethod
    def at(cls, sequence: int) -> From:
        return cls(sequence=sequence)


From.LAST = From()


async def last_record(bus: Bus, queue: DataQueue) -> Record | None:
    """The end of the log. Raises Conflict (E_BUS_QUEUE) for a foreign message on the subject, Unavailable."""
    raw = await bus.link.find(bus.link.js.get_last_msg(queue.stream, queue.subject))
    return None if raw is None else require_record(queue, raw)


async def find_bucket(bus: Bus, queue: DataQueue, bucket_ns: int) -> Record | None:
    """The first message that reaches up to a bucket or beyond: by halves, since buckets grow with sequences."""
    state = (await control_info(bus.link, queue.stream)).state
    low, high = state.first_seq, state.last_seq
    found: Record | None = None
    while low <= high:
        middle = (low + high) // 2
        here = await next_record(bus, queue, middle)
        if here is None or here.sequence > high or here.to_ns >= bucket_ns:
            found = here if here is not None and here.sequence <= high and here.to_ns >= bucket_ns else found
            high = middle - 1
        else:
            low = here.sequence + 1
    return found


def span(batch: recordspb.RecordBatch) -> tuple[int, int]:
    """The instants of the first and the last bucket, ns since the epoch."""
    return batch.start_time.ToNanoseconds(), batch.end_time.ToNanoseconds()


async def next_record(bus: Bus, queue: DataQueue, sequence: int) -> Record | None:
    """The first message of the queue at or after a sequence."""
    raw = await bus.link.find(bus.link.js.get_msg(queue.stream, max(1, sequence), queue.subject, next=True))
    return None if raw is None else require_record(queue, raw)


def require_record(queue: DataQueue, raw: RawStreamMsg) -> Record:
    record = decoded(queue, raw.seq or 0, raw.data or b"", raw.headers or {})
    if record is None:
        raise Conflict("E_BUS_QUEUE", f"message {raw.seq} on {queue.subject} is no record of {queue.compute_key}")
    return record


def decoded(queue: DataQueue, sequence: int, body: bytes, headers: dict[str, str]) -> Record | None:
    """A stored batch decoded; None when it is none of this ComputeKey, of which the subject has 64 bits only."""
    batch = recordspb.RecordBatch()
    try:
        batch.ParseFromString(body)
    except DecodeError as error:
        log.error("undecodable_record", queue=queue.subject, sequence=sequence, reason=str(error))
        return None
    if compute_digest(queue.compute_key) != batch.compute_key.removeprefix("blake3:"):
        log.error("record_of_another_key", queue=queue.subject, sequence=sequence, compute_key=batch.compute_key)
        return None
    return Record(sequence, int(headers.get(PREVIOUS, "0")), headers.get(MESSAGE_ID, ""), *span(batch), batch)
