"""Data records, rule by rule, on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

import pytest
from prometheus_client import Counter

from controlbus.bus import Bus, connected
from controlbus.jetstream.ordered_reader import TooOld
from controlbus.records.data_queue import DataQueue, From, Record, find_bucket, last_record
from controlbus.records.records import (
    BATCH_BYTES_MAX,
    STATE_BYTES_MAX,
    AlreadyCommitted,
    Committed,
    Follows,
    RecordWriter,
    read_records,
)
from qmtl.core.errors import Conflict, Exhausted, InvalidRequest, NotReady, Unavailable
from qmtl.data.v1 import records_pb2 as recordspb
from tests.controlbus.batches import MINUTE_NS, batch, buckets, new_queue, store_raw
from tests.support.nats import NatsServer
from tests.support.wire import wired


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connected(nats_url, service="t") as ready:
        yield ready


@pytest.fixture
def queue() -> DataQueue:
    return new_queue()


def at(number: int) -> datetime:
    return datetime.fromtimestamp(number * 60, UTC)


def count(counter: Counter) -> float:
    return next(iter(counter.collect())).samples[0].value


async def take(bus: Bus, queue: DataQueue, begin: From, count: int) -> list[Record]:
    found: list[Record] = []
    async with asyncio.timeout(15), aclosing(read_records(bus, queue, begin)) as records:
        async for record in records:
            found.append(record)
            if len(found) == count:
                break
    return found


async def test_a_batch_that_follows_what_is_not_there_is_refused(bus: Bus, queue: DataQueue) -> None:
    """As after the broker lost its store: else the log would begin in the middle of its node."""
    writer = await RecordWriter.open(bus, queue, 1)
    with pytest.raises(NotReady, match=r"E_BUCKET_ORDER.*follows the bucket 60000000000 ns, and the log ends at None"):
        await writer.publish(batch(queue, 1, 2, 3), Follows(MINUTE_NS))
    first = await writer.publish(batch(queue, 1, 0, 1), Follows(None))
    assert await writer.publish(batch(queue, 1, 0, 1), Follows(None)) == first
    with pytest.raises(NotReady, match="E_BUCKET_ORDER"):
        await writer.publish(batch(queue, 1, 2, 3), Follows(None))
    assert isinstance(await writer.publish(batch(queue, 1, 2, 3), Follows(MINUTE_NS)), Committed)


async def written(bus: Bus, queue: DataQueue, *ranges: tuple[int, int], epoch: int = 1) -> list[int]:
    writer = await RecordWriter.open(bus, queue, epoch)
    sequences = []
    for first, last in ranges:
        outcome = await writer.publish(batch(queue, epoch, first, last))
        assert isinstance(outcome, Committed)
        sequences.append(outcome.sequence)
    return sequences


async def test_batches_are_appended_and_read_back_whole(bus: Bus, queue: DataQueue) -> None:
    sequences = await written(bus, queue, (1, 3), (4, 4), (6, 9))
    records = await take(bus, queue, From.bucket(at(0)), 3)
    assert [buckets(record) for record in records] == [[1, 2, 3], [4], [6, 7, 8, 9]]
    assert [record.sequence for record in records] == sequences
    assert records[0].batch == batch(queue, 1, 1, 3)


async def test_places_to_begin(bus: Bus, queue: DataQueue) -> None:
    other = new_queue()
    sequences = []
    for round_ in range(8):  # two queues take turns in one stream
        sequences += await written(bus, queue, (10 * round_ + 1, 10 * round_ + 5))
        await written(bus, other, (round_, round_))
    for number, expected in ((1, 0), (5, 0), (6, 1), (11, 1), (34, 3), (75, 7)):
        assert (await take(bus, queue, From.bucket(at(number)), 1))[0].sequence == sequences[expected]
    assert [record.sequence for record in await take(bus, queue, From.at(sequences[2] + 1), 5)] == sequences[3:]
    assert [record.sequence for record in await take(bus, queue, From.at(sequences[2]), 6)] == sequences[2:]
    assert [record.sequence for record in await take(bus, queue, From.LAST, 1)] == sequences[-1:]
    assert await find_bucket(bus, queue, 76 * MINUTE_NS) is None


@pytest.mark.parametrize("begin", [From.bucket(at(5)), From.LAST, From.at(1)])
async def test_a_reader_of_an_empty_queue_waits_for_its_first_batch(bus: Bus, queue: DataQueue, begin: From) -> None:
    async with asyncio.timeout(15), aclosing(read_records(bus, queue, begin)) as records:
        coming = asyncio.ensure_future(anext(records))
        await asyncio.wait([coming], timeout=0.2)
        assert not coming.done()
        await written(bus, queue, (5, 6))
        assert buckets(await coming) == [5, 6]


async def test_a_repeated_batch_is_stored_once(bus: Bus, queue: DataQueue) -> None:
    first, second = await written(bus, queue, (1, 2), (3, 4))
    for writer in (await RecordWriter.open(bus, queue, 1), await RecordWriter.open(bus, queue, 1)):
        assert await writer.publish(batch(queue, 1, 1, 2)) == Committed(first)
        assert await writer.publish(batch(queue, 1, 3, 4)) == Committed(second)
    assert len(await take(bus, queue, From.bucket(at(0)), 2)) == 2
    assert isinstance(await writer.publish(batch(queue, 1, 5, 5)), Committed)


async def test_what_another_writer_has_written_is_not_written_again(bus: Bus, queue: DataQueue) -> None:
    late = await RecordWriter.open(bus, queue, 2)
    (sequence,) = await written(bus, queue, (1, 4), epoch=1)
    conflicts = bus.link.metrics.commit_conflicts
    assert await late.publish(batch(queue, 2, 1, 4)) == AlreadyCommitted(sequence, "blake3:1", False)
    assert count(conflicts) == 0
    assert await late.publish(batch(queue, 2, 2, 3, inputs="blake3:2")) == AlreadyCommitted(sequence, "blake3:1", True)
    assert count(conflicts) == 1
    assert isinstance(await late.publish(batch(queue, 2, 5, 5)), Committed)
    assert [buckets(record) for record in await take(bus, queue, From.bucket(at(0)), 2)] == [[1, 2, 3, 4], [5]]


async def test_buckets_at_or_before_the_last_are_refused(bus: Bus, queue: DataQueue) -> None:
    await written(bus, queue, (3, 4), (5, 6))
    writer = await RecordWriter.open(bus, queue, 1)
    for first, last in ((6, 7), (4, 5), (1, 2), (2, 3), (1, 9)):
        with pytest.raises(NotReady, match="E_BUCKET_ORDER"):
            await writer.publish(batch(queue, 1, first, last))
    assert isinstance(await writer.publish(batch(queue, 1, 7, 7)), Committed)


async def test_an_overtaken_writer_must_take_the_lease_again(bus: Bus, queue: DataQueue) -> None:
    await written(bus, queue, (1, 1), epoch=1)
    paused = await RecordWriter.open(bus, queue, 1)
    before = count(bus.link.metrics.owners_reassigned)
    await written(bus, queue, (2, 2), (3, 3), epoch=2)
    assert count(bus.link.metrics.owners_reassigned) == before + 1
    assert isinstance(await paused.publish(batch(queue, 1, 2, 2)), AlreadyCommitted)
    for first, last in ((3, 5), (4, 4), (4, 4)):
        with pytest.raises(NotReady, match="E_LEASE_LOST"):
            await paused.publish(batch(queue, 1, first, last))
    with pytest.raises(NotReady, match="E_LEASE_LOST"):
        await RecordWriter.open(bus, queue, 1)
    taken_over = await RecordWriter.open(bus, queue, 3)
    assert taken_over.last is not None
    assert (taken_over.last.to_ns, taken_over.last.batch.node_state) == (3 * MINUTE_NS, b"state 3")


async def test_a_writer_that_never_heard_of_the_others_batch_is_stale(bus: Bus, queue: DataQueue) -> None:
    new = await RecordWriter.open(bus, queue, 2)
    await written(bus, queue, (1, 1), epoch=1)
    with pytest.raises(NotReady, match="E_LEASE_LOST"):
        await new.publish(batch(queue, 2, 2, 2))
    again = await RecordWriter.open(bus, queue, 2)
    assert isinstance(await again.publish(batch(queue, 2, 2, 2)), Committed)


async def test_a_lost_ack_is_found_out(bus: Bus, queue: DataQueue, nats_url: str) -> None:
    await written(bus, queue, (0, 0), epoch=1)
    async with wired(int(nats_url.rpartition(":")[2])) as wire, connected(wire.url, service="t") as far:
        writer = await RecordWriter.open(far, queue, 2)
        wire.deaf = True
        publishing = asyncio.create_task(writer.publish(batch(queue, 2, 1, 2)))
        stored = await take(bus, queue, From.bucket(at(1)), 1)
        wire.cut()
        with pytest.raises(Unavailable):
            await publishing
        await far.wait_ready(10)
        assert await writer.publish(batch(queue, 2, 1, 2)) == Committed(stored[0].sequence)
        assert isinstance(await writer.publish(batch(queue, 2, 3, 3)), Committed)
        assert count(far.link.metrics.owners_reassigned) == 1
    assert [buckets(record) for record in await take(bus, queue, From.bucket(at(1)), 2)] == [[1, 2], [3]]


async def test_a_lost_ack_before_a_take_over_is_found_out_too(bus: Bus, queue: DataQueue) -> None:
    writer = await RecordWriter.open(bus, queue, 1)
    twin = await RecordWriter.open(bus, queue, 1)
    mine = await twin.publish(batch(queue, 1, 1, 2))  # as if `writer` had sent it and never heard
    await written(bus, queue, (3, 3), epoch=2)
    assert await writer.publish(batch(queue, 1, 1, 2)) == mine


async def test_readers_leave_out_lower_epochs_and_repeated_buckets(bus: Bus, queue: DataQueue) -> None:
    (first,) = await written(bus, queue, (1, 2), epoch=5)
    second = await store_raw(bus, queue, batch(queue, 4, 3, 3), first)
    third = await store_raw(bus, queue, batch(queue, 5, 2, 3), second)
    await store_raw(bus, queue, batch(queue, 5, 3, 4), third)
    assert [buckets(record) for record in await take(bus, queue, From.bucket(at(0)), 2)] == [[1, 2], [3, 4]]


async def test_two_keys_on_one_subject_are_told_apart(bus: Bus, queue: DataQueue) -> None:
    last = "1" if queue.compute_key.endswith("0") else "0"
    twin = DataQueue(queue.compute_key[:-1] + last, "indicator", "w", "BACKTEST")
    assert twin.subject == queue.subject
    (first,) = await written(bus, queue, (1, 1))
    second = await store_raw(bus, queue, batch(twin, 1, 2, 2), first)
    with pytest.raises(Conflict, match="E_BUS_QUEUE"):
        await last_record(bus, queue)
    await store_raw(bus, queue, batch(queue, 1, 2, 2), second)
    assert [record.batch.compute_key for record in await take(bus, queue, From.at(first), 2)] == [queue.compute_key] * 2


async def test_a_batch_that_breaks_the_form_is_refused(bus: Bus, queue: DataQueue) -> None:
    writer = await RecordWriter.open(bus, queue, 1)
    good = batch(queue, 1, 1, 2)
    backwards, endless, stateful = (recordspb.RecordBatch.FromString(good.SerializeToString()) for _ in range(3))
    backwards.end_time.FromNanoseconds(0)
    endless.ClearField("end_time")
    stateful.node_state = b"x" * (STATE_BYTES_MAX + 1)
    foreign, forged, unhashed = batch(new_queue(), 1, 1, 2), batch(queue, 2, 1, 2), batch(queue, 1, 1, 2, inputs="")
    for wrong in (foreign, forged, unhashed, backwards, endless, stateful):
        with pytest.raises(InvalidRequest, match="E_RECORD_BATCH"):
            await writer.publish(wrong)
    large = batch(queue, 1, 1, 2)
    large.arrow_ipc = b"x" * BATCH_BYTES_MAX
    with pytest.raises(Exhausted, match="E_BATCH_TOO_LARGE"):
        await writer.publish(large)
    assert isinstance(await writer.publish(good), Committed)


async def test_what_was_dropped_is_too_old_and_what_is_there_is_not(nats_server: NatsServer) -> None:
    queue, other = new_queue(), new_queue()
    async with connected(nats_server.url, service="t") as bus:
        sequences = await written(bus, queue, (1, 2), (3, 4), (5, 6))
        await written(bus, other, (1, 1))
        await bus.link.js.purge_stream(queue.stream, seq=sequences[1])
        assert len(await take(bus, queue, From.at(sequences[1]), 2)) == 2
        assert len(await take(bus, queue, From.bucket(at(3)), 2)) == 2
        for begin in (From.at(sequences[0]), From.bucket(at(1))):
            with pytest.raises(TooOld):
                await take(bus, queue, begin, 2)
        await bus.link.js.purge_stream(queue.stream, seq=sequences[2] + 1)
        assert len(await take(bus, other, From.bucket(at(0)), 1)) == 1
        with pytest.raises(TooOld):
            await take(bus, queue, From.at(sequences[2] + 5), 1)


async def test_a_message_dropped_in_front_of_a_reader_is_never_skipped(nats_server: NatsServer) -> None:
    queue = new_queue()
    async with connected(nats_server.url, service="t") as bus:
        first, *_ = await written(bus, queue, (1, 1), (2, 2), (3, 3))
        await bus.link.js.delete_msg(queue.stream, first + 1)
        with pytest.raises(TooOld):
            await take(bus, queue, From.at(first), 2)
