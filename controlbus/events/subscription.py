"""At-least-once consumption with acknowledgements: one message of a key in process at a time, bounded, never silent.

    async with bus.subscribe(["strategy_state_changed"], durable="gateway-states") as deliveries:
        async for delivery in deliveries:
            await delivery.ack()         # or: await delivery.fail("why"), again in 0.5 s, 1 s, 2 s, 4 s, then DLQ

An event whose revision was acknowledged before is dropped (the newer state is whole). Bytes that are no event are dead
letters at once. Workers that give the same durable name share its messages; then make the handler idempotent.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from controlbus.events.control_event import UndecodableEvent, decode, payload_type
from controlbus.events.dead_letters import Letter, bury
from controlbus.jetstream.connection import Link
from controlbus.jetstream.ordered_reader import Start, control_info
from controlbus.jetstream.pull_consumer import ConsumerGone, Puller
from controlbus.jetstream.streams import CONTROL
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import Unavailable
from qmtl.core.tasks.ending import end

log = structlog.stdlib.get_logger("qmtl.controlbus.events")

ATTEMPTS_MAX = 5
FIRST_DELAY_S = 0.5
ACK_WAIT_S = 6.0  # kept alive while in process; what a lost connection swallowed comes again after this
INACTIVE_S = 300.0
SEEN_MAX = 100_000

Key = tuple[str, str]


def redelivery_delay_s(attempt: int) -> float:
    """How long after the failure of an attempt (1 is the first) the next one comes."""
    return FIRST_DELAY_S * 2.0 ** (attempt - 1)


@dataclass(eq=False, slots=True)
class Delivery:
    """One event in process. Answer it once, with `ack` or `fail`; unanswered, it stays in process and is kept alive."""

    event: controlpb.ControlEvent
    sequence: int
    attempt: int
    _message: Msg = field(repr=False)
    _owner: Subscription = field(repr=False)

    @property
    def key(self) -> Key:
        return payload_type(self.event), self.event.key

    async def ack(self) -> None:
        """Done: the event and older revisions of its key will not come again."""
        await self._owner.done(self)

    async def fail(self, reason: str) -> None:
        """Not done: comes again after a growing delay; after the fifth attempt a dead letter with this reason."""
        await self._owner.failed(self, reason)


class Subscription:
    """Made by Bus.subscribe. An async context manager and an async iterator of Delivery."""

    def __init__(self, link: Link, filters: Sequence[str], durable: str | None, start: Start, in_hand_max: int) -> None:
        self._link = link
        self._filters = list(filters)
        self._name = durable or link.new_name()
        self._durable = durable is not None
        self._start = start
        self._made = asyncio.Event()
        self._reached: int | None = start.after  # stream sequence from which a consumer made anew goes on
        self._room = asyncio.Semaphore(in_hand_max)
        self._batch = max(2, in_hand_max)
        self._ready: asyncio.Queue[Delivery] = asyncio.Queue()  # bounded by _room
        self._in_hand: dict[int, Delivery] = {}
        self._queues: dict[Key, deque[Delivery]] = {}
        self._seen: OrderedDict[Key, int] = OrderedDict()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Subscription:
        """Returns once the consumer exists: what is published after that will come. Waits while the broker is down."""
        self._tasks = [asyncio.create_task(self._pump()), asyncio.create_task(self._keep_alive())]
        made = asyncio.create_task(self._made.wait())
        await asyncio.wait([made, self._tasks[0]], return_when=asyncio.FIRST_COMPLETED)
        if not made.done():
            made.cancel()
            await self.__aexit__(None, None, None)
            self._tasks[0].result()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await end(*self._tasks)
        if not self._durable and self._link.up:
            with suppress(Unavailable):
                await self._link.ask(self._link.js.delete_consumer(CONTROL.name, self._name))

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Delivery:
        self._link.metrics.consumed.labels(self._label).inc()
        if not self._ready.empty():
            return self._ready.get_nowait()
        take = asyncio.create_task(self._ready.get())
        try:
            await asyncio.wait([take, self._tasks[0]], return_when=asyncio.FIRST_COMPLETED)
            if not take.done():
                self._tasks[0].result()  # the pump ends by an error only: tell the reader, never hang
        finally:
            if not take.done():
                take.cancel()
        return await take

    @property
    def in_hand(self) -> int:
        """Deliveries taken from the broker and not answered yet."""
        return len(self._in_hand)

    @property
    def _label(self) -> str:
        return self._name if self._durable else "ephemeral"

    async def done(self, delivery: Delivery) -> None:
        self._must_be_open(delivery)
        self._see(delivery)
        await self._answer(delivery._message.ack)
        await self._release(delivery)

    async def failed(self, delivery: Delivery, reason: str) -> None:
        self._must_be_open(delivery)
        if delivery.attempt >= ATTEMPTS_MAX:
            await self._bury(delivery._message, Letter("failed", reason))
        else:
            await self._answer(partial(delivery._message.nak, redelivery_delay_s(delivery.attempt)))
        await self._release(delivery)

    def _must_be_open(self, delivery: Delivery) -> None:
        if self._in_hand.get(delivery.sequence) is not delivery:
            raise ValueError(f"delivery {delivery.sequence} was answered already")

    async def _pump(self) -> None:
        while True:
            await self._link.wait_up()
            try:
                await self._ensure_consumer()
                async with Puller(self._link, CONTROL.name, self._name, self._batch) as puller:
                    while True:
                        await self._room.acquire()
                        await self._take(await self._next(puller))
            except (ConsumerGone, Unavailable) as error:
                if self._link.up:
                    log.warning("consumer_made_anew", consumer=self._name, error=str(error))
                await self._link.pause()

    async def _next(self, puller: Puller) -> Msg:
        try:
            return await puller.next()
        except BaseException:
            self._room.release()
            raise

    async def _take(self, message: Msg) -> None:
        """Decode, drop or line up one message; a slot of _room is held for it."""
        place = message.metadata
        attempt = place.num_delivered
        if attempt > 1:
            self._link.metrics.redelivered.labels(self._label).inc()
        try:
            event = decode(message.data)
        except UndecodableEvent as error:
            self._room.release()
            await self._bury(message, Letter("undecodable", str(error)))
            return
        delivery = Delivery(event, place.sequence.stream, attempt, message, self)
        if self._replaces(delivery):
            self._room.release()
        elif attempt > ATTEMPTS_MAX:
            self._room.release()
            await self._bury(message, Letter("unanswered", f"delivered {attempt - 1} times without an answer"))
        elif self._is_seen(delivery):
            self._room.release()
            self._link.metrics.duplicates.labels(self._label).inc()
            await self._answer(message.ack)
        else:
            self._line_up(delivery)

    def _replaces(self, delivery: Delivery) -> bool:
        """A redelivery of what is still in process: only its answer must go to the newer delivery."""
        present = self._in_hand.get(delivery.sequence)
        if present is not None:
            present._message = delivery._message
            present.attempt = delivery.attempt
        return present is not None

    def _line_up(self, delivery: Delivery) -> None:
        self._in_hand[delivery.sequence] = delivery
        self._reached = max(self._reached or 0, delivery.sequence)
        line = self._queues.setdefault(delivery.key, deque())
        line.append(delivery)
        if len(line) == 1:
            self._hand_over(delivery)

    def _hand_over(self, delivery: Delivery) -> None:
        self._link.metrics.event_age_s.observe(_age_s(delivery.event))
        self._ready.put_nowait(delivery)

    async def _release(self, delivery: Delivery) -> None:
        """The key is free: hand over its next delivery that is still news."""
        line = self._queues[delivery.key]
        self._forget(line.popleft())
        while line and self._is_seen(line[0]):
            stale = line.popleft()
            self._forget(stale)
            await self._answer(stale._message.ack)
        if line:
            self._hand_over(line[0])
        else:
            del self._queues[delivery.key]

    def _forget(self, delivery: Delivery) -> None:
        del self._in_hand[delivery.sequence]
        self._room.release()

    def _see(self, delivery: Delivery) -> None:
        self._seen[delivery.key] = max(delivery.event.revision, self._seen.get(delivery.key, 0))
        self._seen.move_to_end(delivery.key)
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)

    def _is_seen(self, delivery: Delivery) -> bool:
        return delivery.event.revision <= self._seen.get(delivery.key, 0)

    async def _bury(self, message: Msg, letter: Letter) -> None:
        try:
            await bury(self._link, self._label, message, letter)
        except Unavailable:
            await self._answer(partial(message.nak, FIRST_DELAY_S))
        else:
            await self._answer(message.term)

    async def _answer(self, send: Callable[[], Awaitable[None]]) -> None:
        with suppress(nats.errors.Error, OSError):  # an answer that gets lost brings the message again
            await send()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(ACK_WAIT_S / 3)
            for delivery in tuple(self._in_hand.values()):
                with suppress(nats.errors.Error, OSError):
                    await delivery._message.in_progress()

    async def _ensure_consumer(self) -> None:
        """Bind to the consumer if the broker still has it, or create it at the position reached."""
        if not await self._bound():
            await self._link.ask(self._link.js.add_consumer(CONTROL.name, await self._config()))
        self._made.set()

    async def _bound(self) -> bool:
        js = self._link.js
        found = await self._link.find(js.consumer_info(CONTROL.name, self._name))
        if found is None:
            return False
        present = found.config
        if sorted(present.filter_subjects or [present.filter_subject]) != sorted(self._filters):
            wanted = present.evolve(filter_subjects=self._filters, filter_subject=None)
            await self._link.ask(js.add_consumer(CONTROL.name, wanted))
        return True

    async def _config(self) -> ConsumerConfig:
        last = (await control_info(self._link)).state.last_seq
        if self._reached is None and self._start == Start.NEW:
            self._reached = last  # pinned now, so that an outage before the first event loses nothing
        after = (
            self._reached if self._reached is None else min(self._reached, last, *(key - 1 for key in self._in_hand))
        )
        return ConsumerConfig(
            name=self._name,
            durable_name=self._name if self._durable else None,
            filter_subjects=self._filters,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_deliver=-1,  # the limit is ours: a message must not vanish at the broker's
            max_ack_pending=4 * self._batch,
            inactive_threshold=None if self._durable else INACTIVE_S,
            deliver_policy=DeliverPolicy.BY_START_TIME if after is None else DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=None if after is None else after + 1,
            opt_start_time=self._start.time if after is None else None,
        )


def _age_s(event: controlpb.ControlEvent) -> float:
    return max(0.0, time.time() - event.time.ToNanoseconds() / 1e9)
