"""The broker's side of queues: their records read, counted and purged, each on its own subject only.

A queue's subject is derived from its row and holds 64 bits of its ComputeKey, so before anything is purged the last
message must say that it is this queue's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from controlbus.bus import Bus
from controlbus.jetstream.ordered_reader import TooOld
from controlbus.records.data_queue import DataQueue, From, Record, last_record, next_record
from controlbus.records.records import read_records
from qmtl.core.errors import Conflict, Exhausted

READ_S = 60.0
AT_ONCE = 16


class Incomplete(Exception):
    """The broker does not hold all of what was asked for."""


class Foreign(Exception):
    """The subject holds what is no record of the queue."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the broker holds of one queue."""

    depth: int
    last_sequence: int


def queue_of(compute_key: str, queue_class: str, world_id: str, execution_domain: str) -> DataQueue:
    """The queue's log at the broker."""
    return DataQueue(compute_key, queue_class.lower(), world_id, execution_domain)


async def last_sequence(bus: Bus, queue: DataQueue) -> int:
    """The sequence of the queue's last record, 0 for none. Raises Foreign, Unavailable."""
    try:
        last = await last_record(bus, queue)
    except Conflict as error:
        raise Foreign(error.message) from error
    return last.sequence if last else 0


async def last_buckets(bus: Bus, queues: list[DataQueue]) -> dict[DataQueue, int]:
    """The last bucket that the broker holds of each, microseconds since the epoch. Raises Unavailable.

    Queues of which it holds nothing are not in it, nor those on whose subject something foreign stands last.
    """
    return await _buckets(queues, lambda queue: last_record(bus, queue), lambda record: record.to_ns)


async def first_buckets(bus: Bus, queues: list[DataQueue]) -> dict[DataQueue, int]:
    """The first bucket that the broker holds of each, as `last_buckets` tells of the last. Raises Unavailable."""
    return await _buckets(queues, lambda queue: next_record(bus, queue, 1), lambda record: record.from_ns)


async def _buckets(
    queues: list[DataQueue],
    find: Callable[[DataQueue], Awaitable[Record | None]],
    bucket_ns: Callable[[Record], int],
) -> dict[DataQueue, int]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(queue: DataQueue) -> tuple[DataQueue, int | None]:
        async with turn:
            try:
                record = await find(queue)
            except Conflict:
                return queue, None
            return queue, None if record is None else bucket_ns(record) // 1000

    found = await asyncio.gather(*(one(queue) for queue in queues))
    return {queue: bucket_us for queue, bucket_us in found if bucket_us is not None}


async def read_all(bus: Bus, queue: DataQueue, until: int, bytes_max: int) -> list[Record]:
    """Every record up to a sequence. Raises Incomplete, Exhausted (E_ARCHIVE_TOO_LARGE), Unavailable."""
    found: list[Record] = []
    size = 0
    try:
        async with asyncio.timeout(READ_S), aclosing(read_records(bus, queue, From.at(1))) as records:
            async for record in records:
                found.append(record)
                size += len(record.batch.arrow_ipc)
                if size > bytes_max:
                    raise Exhausted("E_ARCHIVE_TOO_LARGE", f"{queue.subject} holds more than {bytes_max} bytes")
                if record.sequence >= until:
                    return found
    except TooOld as error:
        raise Incomplete(error.message) from error
    except TimeoutError:
        raise Incomplete(f"{queue.subject} did not reach sequence {until} in {READ_S} s") from None
    raise Incomplete(f"{queue.subject} ended before sequence {until}")


async def purge(bus: Bus, queue: DataQueue, until: int) -> None:
    """Remove the queue's records up to a sequence, later ones stay. Raises Unavailable."""
    await bus.link.ask(bus.link.js.purge_stream(queue.stream, seq=until + 1, subject=queue.subject))


async def held(bus: Bus, queues: list[DataQueue]) -> list[Held]:
    """What the broker holds of each, in the order asked. Raises Unavailable."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(queue: DataQueue) -> Held:
        async with turn:
            info = await bus.link.ask(bus.link.js.stream_info(queue.stream, subjects_filter=queue.subject))
            depth = (info.state.subjects or {}).get(queue.subject, 0)
            last = await bus.link.find(bus.link.js.get_last_msg(queue.stream, queue.subject)) if depth else None
            return Held(depth, (last.seq or 0) if last else 0)

    return list(await asyncio.gather(*(one(queue) for queue in queues)))


async def storage_used(bus: Bus, bytes_max: int) -> float:
    """The share of the broker's storage in use; 0 where neither it nor the settings state a limit."""
    account = await bus.link.ask(bus.link.js.account_info())
    limit = bytes_max or account.limits.max_storage
    return account.storage / limit if limit > 0 else 0.0
