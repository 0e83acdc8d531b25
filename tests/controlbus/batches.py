"""Record batches of a queue whose buckets are whole minutes: bucket 7 holds its own number."""

from __future__ import annotations

from hashlib import blake2b
from uuid import uuid4

from controlbus.bus import Bus
from controlbus.records.data_queue import DataQueue, Record, span
from qmtl.data.v1 import records_pb2 as recordspb

MINUTE_NS = 60_000_000_000


def new_queue() -> DataQueue:
    return DataQueue(f"blake3:{blake2b(uuid4().bytes, digest_size=32).hexdigest()}", "indicator", "w", "BACKTEST")


def batch(queue: DataQueue, epoch: int, first: int, last: int, inputs: str = "blake3:1") -> recordspb.RecordBatch:
    made = recordspb.RecordBatch(
        compute_key=queue.compute_key,
        writer_epoch=epoch,
        input_window_hash=inputs,
        node_state=f"state {last}".encode(),
        arrow_ipc=" ".join(str(number) for number in range(first, last + 1)).encode(),
    )
    for stamp, number in ((made.start_time, first), (made.end_time, last)):
        stamp.FromNanoseconds(number * MINUTE_NS)
    return made


def buckets(record: Record) -> list[int]:
    """What a record holds, after checking that its range says the same."""
    numbers = [int(each) for each in record.batch.arrow_ipc.split()]
    assert span(record.batch) == (numbers[0] * MINUTE_NS, numbers[-1] * MINUTE_NS)
    return numbers


async def store_raw(bus: Bus, queue: DataQueue, made: recordspb.RecordBatch, previous: int) -> int:
    """Store a batch past the writer's rules, as a broken writer would."""
    body = made.SerializeToString()
    return await bus.publish(queue.subject, body, msg_id=uuid4().hex, headers={"Qmtl-Previous": str(previous)})
