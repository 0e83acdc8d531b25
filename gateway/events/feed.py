"""The newest part of a stream, read from the broker once for the whole gateway and shared by every subscriber.

Events are sorted into one lane per world; a subscriber takes from its lane at its own pace and is woken when something
comes. All are shown the same steps: the first event at once, what follows closely together, the more so the more
subscribers there are, for each of them costs a write. Bounded: what falls out of the feed is read from the broker
again, or too old. Repeated revisions are dropped.
"""

from __future__ import annotations

import asyncio
import heapq
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Generic, TypeVar

import structlog
from google.protobuf.message import Message
from nats.js.api import StreamInfo

from controlbus.bus import Bus
from controlbus.jetstream.ordered_reader import Start, TooOld, control_info, read
from qmtl.core.errors import Exhausted, Unavailable
from qmtl.wire.paging import ROW_FRAME_BYTES

T = TypeVar("T", bound=Message)
EVERY_WORLD = ""
BYTES_MAX = 64 * 1024 * 1024
SEEN_MAX = 100_000
WRITE_S = 0.0002  # what a step costs for each subscriber: a core then spends half its time on writing at most
BATCH_MAX = 256
log = structlog.stdlib.get_logger("qmtl.gateway.events")


@dataclass(frozen=True, slots=True)
class Source(Generic[T]):
    """A stream and how its messages are read: `decode` None drops a message, `mark` names its key and revision.

    `worlds` says whom it concerns; EVERY_WORLD: all.
    """

    stream: str
    subject: str
    decode: Callable[[bytes], T | None]
    mark: Callable[[T], tuple[str, int]]
    worlds: Callable[[T], Awaitable[tuple[str, ...]]]


class Newest:
    """The newest revision of each key that came, for as many keys as are remembered: what came twice is no news."""

    def __init__(self) -> None:
        self._revisions: OrderedDict[str, int] = OrderedDict()

    def is_news(self, key: str, revision: int) -> bool:
        """Whether it is newer than all of its key that came before; it came now."""
        if revision <= self._revisions.get(key, 0):
            return False
        self._revisions[key] = revision
        self._revisions.move_to_end(key)
        if len(self._revisions) > SEEN_MAX:
            self._revisions.popitem(last=False)
        return True

    def of(self, key: str) -> int:
        """The newest revision of a key that is known to have come, 0 when none is."""
        return self._revisions.get(key, 0)


@dataclass(slots=True)
class Lane(Generic[T]):
    """The events of one world, by sequence, and those who wait for the next."""

    items: list[tuple[int, T]] = field(default_factory=list)
    waiters: set[asyncio.Event] = field(default_factory=set)


def born_of(info: StreamInfo) -> str:
    """When a stream was made: sequences of another incarnation mean nothing in it."""
    return info.created.isoformat() if info.created is not None else ""


class Feed(Generic[T]):
    """`head`: everything up to it is sorted in; `shown`: subscribers take up to it; `floor`: all above it is here;
    `born`: of which incarnation of the stream."""

    def __init__(self, bus: Bus, source: Source[T], keep: int, gather_s: float = 0.0) -> None:
        self.source = source
        self.bus = bus
        self.head = 0
        self.shown = 0
        self.floor = 0
        self.born = ""
        self._keep = keep
        self._gather_s = gather_s
        self._waiters = 0
        self._stepped_at = float("-inf")
        self._next_step: asyncio.TimerHandle | None = None
        self._touched: set[str] = set()
        self._lanes: dict[str, Lane[T]] = {}
        self._kept: deque[tuple[int, int, tuple[str, ...]]] = deque()  # sequence, bytes, lanes
        self._bytes = 0
        self._largest = 0  # bytes of the largest event that ever came: what is never large need not be measured
        self._seen = Newest()
        self._listeners: list[tuple[Callable[[T], None], Callable[[], None]]] = []

    def listen(self, listener: Callable[[T], None], missed: Callable[[], None]) -> None:
        """Tell of each event that is news, before it is shown; `missed`: events that were not told are over."""
        self._listeners.append((listener, missed))

    async def run(self) -> None:
        """Read for ever; begins at the stream's end, and there again when the stream has no more where it stood."""
        goes_on = True
        while True:
            try:
                await self.bus.link.wait_up()
                info = await control_info(self.bus.link, self.source.stream)
                if not goes_on or self.born != born_of(info):
                    self._begin(info.state.last_seq, born_of(info))
                goes_on = True
                messages = read(self.bus.link, [self.source.subject], Start(after=self.head), self.source.stream)
                async with aclosing(messages):
                    async for sequence, message in messages:
                        await self.add(sequence, message.data)
            except TooOld as error:
                goes_on = False
                log.warning("feed_begins_anew", stream=self.source.stream, error=error.message)
            except (Unavailable, Exhausted):
                await self.bus.link.pause()

    async def add(self, sequence: int, body: bytes) -> None:
        """Sort one message in and wake whom it concerns. What `worlds` raises leaves all as before."""
        event = self.source.decode(body)
        worlds = () if event is None else await self.source.worlds(event)
        if event is None or not self._seen.is_news(*self.source.mark(event)):
            worlds = ()
        else:
            for listener, _ in self._listeners:
                listener(event)
            for world in worlds:
                self._lanes.setdefault(world, Lane()).items.append((sequence, event))
        self.head = sequence
        self._kept.append((sequence, len(body), worlds))
        self._bytes += len(body)
        self._largest = max(self._largest, len(body))
        self._trim()
        self._touched.update(worlds)
        self._pace()

    def since(
        self, world: str, position: int, limit: int = BATCH_MAX, bytes_max: int = BYTES_MAX
    ) -> tuple[list[tuple[int, T]], int]:
        """What is shown of a world after a position that is not below the floor, and the position reached with it.

        At most `limit` events and `bytes_max` in all, but one at least.
        """
        own, every = self._after(world, position, limit), self._after(EVERY_WORLD, position, limit)
        found = list(heapq.merge(own, every, key=itemgetter(0)))[:limit] if every else own
        fitting = len(found) if len(found) * self._largest <= bytes_max else _fitting(found, bytes_max)
        is_part = fitting < len(found) or len(found) == limit
        return found[:fitting], found[fitting - 1][0] if is_part else max(position, self.shown)

    def published(self, key: str) -> int:
        """The newest revision of a key that is known to have come, 0 when none is."""
        return self._seen.of(key)

    def waiting(self, world: str, position: int) -> int:
        """How many events of a world come after a position."""
        lane = self._lanes.get(world)
        return 0 if lane is None else len(lane.items) - bisect_right(lane.items, position, key=itemgetter(0))

    @contextmanager
    def woken_by(self, world: str, event: asyncio.Event) -> Iterator[None]:
        """Set an event whenever something for a world comes."""
        lane = self._lanes.setdefault(world, Lane())
        lane.waiters.add(event)
        self._waiters += 1
        try:
            yield
        finally:
            self._waiters -= 1
            lane.waiters.discard(event)
            self._forget(world)

    def _after(self, world: str, position: int, limit: int) -> list[tuple[int, T]]:
        lane = self._lanes.get(world)
        if lane is None or not lane.items or lane.items[-1][0] <= position:
            return []
        start = bisect_right(lane.items, position, key=itemgetter(0))
        end = bisect_right(lane.items, self.shown, lo=start, key=itemgetter(0))
        return lane.items[start : min(end, start + limit)]

    def _pace(self) -> None:
        """Show what came now, or together with what comes until the next step is due."""
        if self._next_step is not None:
            return
        loop = asyncio.get_running_loop()
        due = self._stepped_at + max(self._gather_s, self._waiters * WRITE_S)
        if loop.time() >= due:
            self._step()
        else:
            self._next_step = loop.call_at(due, self._step)

    def _step(self) -> None:
        self._stepped_at = asyncio.get_running_loop().time()
        self._next_step = None
        self.shown = self.head
        touched, self._touched = self._touched, set()
        self._wake(tuple(touched))

    def _begin(self, last: int, born: str) -> None:
        """Only what comes after `last` will be here. Subscribers below it read the broker themselves."""
        self.head = self.shown = self.floor = last
        self.born = born
        self._kept.clear()
        self._bytes = 0
        self._seen = Newest()
        for lane in self._lanes.values():
            lane.items.clear()
        for _, missed in self._listeners:
            missed()
        self._wake(tuple(self._lanes))

    def _trim(self) -> None:
        while len(self._kept) > self._keep or self._bytes > BYTES_MAX:
            sequence, size, worlds = self._kept.popleft()
            self.floor = sequence
            self._bytes -= size
            for world in worlds:
                self._drop_old(world)

    def _drop_old(self, world: str) -> None:
        """Cut a lane once half of it is below the floor, so that each event is moved a bounded number of times."""
        lane = self._lanes[world]
        old = bisect_right(lane.items, self.floor, key=itemgetter(0))
        if 2 * old >= len(lane.items):
            del lane.items[:old]
            self._forget(world)

    def _forget(self, world: str) -> None:
        lane = self._lanes.get(world)
        if lane is not None and not lane.items and not lane.waiters:
            del self._lanes[world]

    def _wake(self, worlds: tuple[str, ...]) -> None:
        lanes = self._lanes.values() if EVERY_WORLD in worlds else [self._lanes[w] for w in worlds if w in self._lanes]
        for lane in lanes:
            for waiter in lane.waiters:
                waiter.set()


def _fitting(found: Sequence[tuple[int, Message]], bytes_max: int) -> int:
    """How many of the events fit into so many bytes; one does in any case."""
    held = 0
    for count, (_, event) in enumerate(found):
        held += event.ByteSize() + ROW_FRAME_BYTES
        if count and held > bytes_max:
            return count
    return len(found)
