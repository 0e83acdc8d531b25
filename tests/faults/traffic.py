"""Clients of a mesh in trouble: each asks for one act until it is acknowledged, writes it down, and goes on."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import pyarrow as pa

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.errors import InvalidRequest, QmtlError
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.data.v1 import records_pb2 as recordspb
from qmtl.gateway.v1 import queue_service_pb2 as queueservicepb
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from tests.faults.ledger import DENIED, Entry, Freeze, Ledger
from tests.mesh.gateway_client import in_chunks, source_node, submission
from tests.mesh.trading_mesh import ENDED, FROZEN, NOW, RESTING, TradingMesh

T = TypeVar("T")
AGAIN_S = 0.1
FINISHED_S = 120.0
KINDS = ("submission", "order", "apply", "record")
BAR = timedelta(seconds=900)
MARKET = {"type": "ORDER_TYPE_MARKET", "quantity": "0.001", "time_in_force": "TIME_IN_FORCE_GTC"}


@dataclass
class Traffic:
    """Everything that goes on, and when the last act of each kind that passed was begun."""

    trading: TradingMesh
    ledger: Ledger
    passed_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))
    refusals: Counter[str] = field(default_factory=Counter)
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _frozen: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        """At work while the body runs; then each finishes what it has begun. Raises what one of them died of."""
        loops: tuple[Callable[[], Coroutine[None, None, None]], ...] = (
            self._submissions, self._orders, self._applies, self._records,
        )  # fmt: skip
        self._tasks = [asyncio.create_task(each(), name=each.__name__) for each in loops]
        try:
            yield
            self._over.set()
            async with asyncio.timeout(FINISHED_S):
                await asyncio.gather(*self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def died(self) -> list[str]:
        """Clients that have ended before they were told to."""
        return [task.get_name() for task in self._tasks if task.done()]

    def all_passed_since(self, at_s: float) -> bool:
        return all(begun_s >= at_s for begun_s in self.passed_s.values())

    async def _submissions(self) -> None:
        for number in itertools.count():
            if self._over.is_set():
                return
            name = f"r-{number}"
            reply = await self._acknowledged("submission", name, lambda name=name, n=number: self.submitted(name, n))  # type: ignore[misc]  # default binds the loop's value
            assert reply
            await self._pause(0.4)

    async def submitted(self, name: str, number: int) -> str:
        asked = submission(self.trading.world, [source_node(number=number)], name)
        return (await self.trading.client.strategies.SubmitStrategy(in_chunks(asked))).strategy.strategy_id

    async def _orders(self) -> None:
        for number in itertools.count():
            if self._over.is_set():
                return
            terms = {**RESTING, "time_in_force": "TIME_IN_FORCE_IOC"}
            if number % 8 == 7:
                side = "ORDER_SIDE_BUY" if number % 16 == 7 else "ORDER_SIDE_SELL"
                terms = {**MARKET, "side": side}
            order = self.trading.order(f"o-{number}", **terms)
            await self._acknowledged("order", order.client_order_id, lambda order=order: self._ordered(order))  # type: ignore[misc]  # default binds the loop's value
            await self._pause(0.1)

    async def _ordered(self, order: orderpb.Order) -> str:
        return orderpb.OrderState.Name((await self.trading.submit(order)).status.state)

    async def _applies(self) -> None:
        """An apply, and after every third a freeze by hand with its way out."""
        for number in itertools.count():
            if self._over.is_set():
                return
            run_id = f"a-{number}"
            await self._acknowledged("apply", run_id, lambda run_id=run_id: self._applied(run_id))  # type: ignore[misc]  # default binds the loop's value
            if (await self.trading.until(run_id, *ENDED)).state == FROZEN:
                await self._resume(run_id)
            if number % 3 == 2:
                await self._freeze(f"f-{number}")
            await self._pause(0.5)

    async def _applied(self, run_id: str) -> str:
        await self.trading.apply(run_id)
        return ""

    async def _freeze(self, name: str) -> None:
        request = applyservicepb.FreezeWorldRequest(world_id=self.trading.world, request_id=name)
        while True:
            reply = await self._answered(lambda: self.trading.client.applies.FreezeWorld(request))
            if not reply.fence_pending:
                break
            await asyncio.sleep(AGAIN_S)
        began_s, self._frozen = time.monotonic(), True
        await asyncio.sleep(1.0)
        self._frozen = False
        self.ledger.write_freeze(Freeze(began_s, time.monotonic()))
        await self._resume(reply.run.run_id)

    async def _resume(self, run_id: str) -> None:
        """Ask until the world is led out: a way out that ends otherwise is a run of its own to be led out of."""
        for _ in range(20):
            request = applyservicepb.ResumeRequest(world_id=self.trading.world, run_id=run_id)
            out = (await self._answered(lambda request=request: self.trading.client.applies.Resume(request))).run  # type: ignore[misc]  # default binds the loop's value
            ended = await self.trading.until(out.run_id, *ENDED)
            if ended.state == applypb.APPLY_STATE_COMPLETED:
                return
            run_id = ended.run_id
        raise AssertionError(f"{run_id} cannot be resumed")

    async def _records(self) -> None:
        """The producer of one node: bucket after bucket, and again what the broker has lost of them."""
        key, epoch, bucket, reached = await self.queue_of_the_node(), 0, -1, 0
        while not self._over.is_set():
            try:
                if bucket < 0:
                    epoch, bucket = await self._taken_up(key)
                begun_s, last = time.monotonic(), max(bucket, reached)
                await self.trading.client.queues.PublishRecords(_one(record(key, epoch, bucket, last)))
            except QmtlError as error:
                self.refusals[f"record {error.reason}"] += 1
                bucket = -1
                await asyncio.sleep(AGAIN_S)
                continue
            self._note(Entry("record", str(last), "", begun_s, time.monotonic()), begun_s)
            bucket = reached = last + 1
            await self._pause(0.4)

    async def queue_of_the_node(self) -> str:
        asked = queuecatalogueservicepb.ListQueuesRequest(
            world_id=self.trading.world, strategy_id=self.trading.strategy_id
        )
        (queue,) = (await self._answered(lambda: self.trading.client.queue_catalogue.ListQueues(asked))).queues
        return str(queue.compute_key)

    async def _taken_up(self, key: str) -> tuple[int, int]:
        """The lease's epoch and the first bucket that the broker does not hold."""
        client = self.trading.client
        asked = queueservicepb.AcquireProducerRequest(
            compute_key=key, world_id=self.trading.world, strategy_id=self.trading.strategy_id, run_id="the-only"
        )
        lease = (await client.queues.AcquireProducer(asked)).lease
        stats = queuecatalogueservicepb.GetQueueStatsRequest(compute_keys=[key])
        if not (await client.queue_catalogue.GetQueueStats(stats)).stats[0].depth:
            return lease.lease_epoch, 0
        last = queueservicepb.ReadQueueRequest(compute_key=key, world_id=self.trading.world, last=True)
        call = client.queues.ReadQueue(last)
        try:
            async for reply in call:
                end = reply.batch.end_time.ToDatetime(NOW.tzinfo)
                return lease.lease_epoch, (end - NOW) // BAR + 1
        finally:
            call.cancel()
        raise AssertionError("a queue with records has a last one")

    async def _acknowledged(self, kind: str, name: str, ask: Callable[[], Awaitable[str]]) -> str:
        """Ask until it is answered, and write the answer down."""
        asked_s = time.monotonic()
        while True:
            begun_s = time.monotonic()
            try:
                answer = await ask()
            except InvalidRequest:
                raise
            except QmtlError as error:
                self.refusals[f"{kind} {error.reason}"] += 1
                await asyncio.sleep(AGAIN_S)
                continue
            self._note(Entry(kind, name, answer, asked_s, time.monotonic()), begun_s)
            return answer

    def _note(self, entry: Entry, begun_s: float) -> None:
        self.ledger.write(entry)
        if entry.answer != DENIED or self._frozen:
            self.passed_s[entry.kind] = begun_s

    async def _answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await ask()
            except InvalidRequest:
                raise
            except QmtlError as error:
                self.refusals[f"control {error.reason}"] += 1
                await asyncio.sleep(AGAIN_S)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return


def record(key: str, epoch: int, first: int, last: int) -> queueservicepb.PublishRecordsRequest:
    """The values of some bars, which follow the one before them."""
    closes = [int((NOW + (bucket + 1) * BAR).timestamp()) * 1_000_000_000 for bucket in range(first, last + 1)]
    values = [float(bucket) for bucket in range(first, last + 1)]
    rows = pa.table({"time_ns": pa.array(closes, pa.int64()), "value": pa.array(values, pa.float64())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    batch = recordspb.RecordBatch(
        compute_key=key, writer_epoch=epoch, input_window_hash=f"blake3:{last:064x}", node_state=b"null",
        arrow_ipc=sink.getvalue().to_pybytes(),
    )  # fmt: skip
    batch.start_time.FromDatetime(NOW + first * BAR)
    batch.end_time.FromDatetime(NOW + last * BAR)
    request = queueservicepb.PublishRecordsRequest(batch=batch, follows_nothing=True)
    if first:
        request.follows_end_time.FromDatetime(NOW + (first - 1) * BAR)
    return request


async def _one(
    request: queueservicepb.PublishRecordsRequest,
) -> AsyncIterator[queueservicepb.PublishRecordsRequest]:
    yield request
