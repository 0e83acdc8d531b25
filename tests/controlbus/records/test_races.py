"""Seeded: producers that race, pause, die and lose acknowledgements on a real broker. Every bucket once, in order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import TypeVar

import pytest

from controlbus.bus import Bus, connected
from controlbus.records.data_queue import DataQueue, From, Record, last_record
from controlbus.records.producer_leases import ProducerLeases
from controlbus.records.records import AlreadyCommitted, Committed, RecordWriter, Written, read_records
from qmtl.core.clock import SystemClock
from qmtl.core.errors import NotReady, Unavailable
from qmtl.data.v1 import records_pb2 as recordspb
from tests.controlbus.batches import MINUTE_NS, batch, buckets, new_queue
from tests.support.waiting import eventually
from tests.support.wire import Wire, wired

EPOCH = datetime.fromtimestamp(0, UTC)
TOTAL = 150
T = TypeVar("T")
TROUBLES = ("lost ack", "paused", "expired", "killed")


@dataclass
class Race:
    """One queue, the random source of the test, and what the producers say they did."""

    random: Random
    queue: DataQueue
    referee: Bus  # on an undisturbed connection
    committed: dict[int, list[int]] = field(default_factory=dict)
    deck: list[str] = field(default_factory=list)
    pausing: asyncio.Lock = field(default_factory=asyncio.Lock)
    happened: Counter[str] = field(default_factory=Counter)

    def next_trouble(self) -> str:
        """In three of ten steps, each kind before any comes again."""
        if self.random.random() > 0.3:
            return ""
        self.deck = self.deck or self.random.sample(TROUBLES, len(TROUBLES))
        self.happened[self.deck[-1]] += 1
        return self.deck.pop()

    @property
    def leases(self) -> ProducerLeases:
        return ProducerLeases(self.referee, SystemClock())

    async def end(self) -> tuple[int, int]:
        """The last bucket of the log and its epoch."""
        last = await last_record(self.referee, self.queue)
        return (last.to_ns // MINUTE_NS, last.batch.writer_epoch) if last else (0, 0)

    async def free_the_lease(self) -> None:
        """As its expiry would: the holder is not told."""
        present = await self.leases.current(self.queue.compute_key)
        if present is not None:
            await self.leases.release(self.queue.compute_key, present.epoch)


class Producer:
    """A process that computes buckets: it never renews, so that it also writes on past its tenure."""

    def __init__(self, race: Race, name: str, bus: Bus, wire: Wire) -> None:
        self._race = race
        self._name = name
        self._bus = bus
        self._wire = wire

    async def run(self) -> None:
        leases = ProducerLeases(self._bus, SystemClock())
        lives = 0
        while (await self._race.end())[0] < TOTAL:
            lives += 1
            holder = f"{self._name}-{lives}"
            tenure = await patiently(partial(leases.acquire, self._race.queue.compute_key, holder, ttl_s=1))
            if tenure.acquired:
                await self._serve(tenure.epoch)
            else:
                await asyncio.sleep(0.01)  # a contender polls: a lease that runs out says nothing

    async def _serve(self, epoch: int) -> None:
        try:
            writer = await patiently(lambda: RecordWriter.open(self._bus, self._race.queue, epoch))
            last = writer.last.to_ns // MINUTE_NS if writer.last else 0
            while last < TOTAL:
                size = self._race.random.randint(1, 4)
                trouble = self._race.next_trouble()
                if trouble == "killed":
                    await self._race.free_the_lease()
                    return
                made = batch(self._race.queue, epoch, last + 1, min(last + size, TOTAL))
                await self._publish(writer, made, trouble)
                last = made.end_time.ToNanoseconds() // MINUTE_NS
        except NotReady:
            self._race.happened["stale"] += 1

    async def _publish(self, writer: RecordWriter, made: recordspb.RecordBatch, trouble: str) -> None:
        if trouble == "lost ack":
            self._wire.deaf = True  # stored, and never said so; the same call again must find out
            asyncio.get_running_loop().call_later(0.03, self._wire.cut)
        elif trouble == "expired":
            await self._race.free_the_lease()  # and writes on: two at once
        elif trouble == "paused" and not self._race.pausing.locked():  # else nobody might be left to overtake
            async with self._race.pausing:
                await self._race.free_the_lease()
                await eventually(lambda: self._overtaken(made.writer_epoch))
        outcome: Written = await patiently(lambda: writer.publish(made))
        match outcome:
            case Committed(sequence):
                numbers = [int(each) for each in made.arrow_ipc.split()]
                assert self._race.committed.setdefault(sequence, numbers) == numbers
            case AlreadyCommitted():
                self._race.happened["already"] += 1

    async def _overtaken(self, epoch: int) -> bool:
        last, writer_epoch = await self._race.end()
        return writer_epoch > epoch or last == TOTAL


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """What a producer does about Unavailable: the same call again."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await call()
            except Unavailable:
                await asyncio.sleep(0.02)
    raise AssertionError("unreachable: the loop returns or times out")


async def read_all(bus: Bus, queue: DataQueue) -> list[Record]:
    found: list[Record] = []
    async with asyncio.timeout(60), aclosing(read_records(bus, queue, From.bucket(EPOCH))) as records:
        async for record in records:
            found.append(record)
            if record.to_ns == TOTAL * MINUTE_NS:
                break
    return found


@pytest.mark.parametrize("seed", range(5))
async def test_every_bucket_once_in_order(seed: int, nats_url: str) -> None:
    port = int(nats_url.rpartition(":")[2])
    async with AsyncExitStack() as stack:
        race = Race(Random(seed), new_queue(), await stack.enter_async_context(connected(nats_url, service="referee")))
        wires = [await stack.enter_async_context(wired(port)) for _ in range(3)]
        buses = [await stack.enter_async_context(connected(wire.url, service="t")) for wire in wires]
        producers = [Producer(race, f"p{i}", bus, wire) for i, (bus, wire) in enumerate(zip(buses, wires, strict=True))]
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for producer in producers:
                group.create_task(producer.run())
        records = await read_all(race.referee, race.queue)
        assert [number for record in records for number in buckets(record)] == list(range(1, TOTAL + 1))
        log = {record.sequence: buckets(record) for record in records}
        assert race.committed.items() <= log.items()
        epochs = [record.batch.writer_epoch for record in records]
        assert epochs == sorted(epochs)
        assert len(set(epochs)) > 2
        assert all(race.happened[trouble] for trouble in (*TROUBLES, "stale")), race.happened
