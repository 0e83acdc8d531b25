"""One replay session at work: a task that releases bars, and the subscribers it waits for.

A new watermark is committed before any subscriber may see past the old one, so `kill -9` at any point
never takes a bar back. Bars sent are read from the sealed segment, so every subscriber sees the same.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from controlbus.database import Database
from qmtl.core.clock import Clock
from qmtl.core.errors import Exhausted, Unavailable
from seamless import store, wire
from seamless.domain.bars import Bars
from seamless.domain.coverage import Span
from seamless.domain.replay import Follower, Replay, next_due_ns, release
from seamless.measures import Measures

BATCH_BARS = 256
_STORE_RETRY_S = 0.2
log = structlog.stdlib.get_logger("qmtl.seamless")


@dataclass(slots=True, eq=False)
class Place:
    """How far one subscriber is."""

    taken_ns: int
    heard_at_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """Bars that were released, and the instant up to which there are no others."""

    bars: Bars
    watermark_ns: int
    last: bool


class Player:
    """The one place of a process where a session advances and is read."""

    def __init__(
        self, replay: Replay, bars: Bars, db: Database, clock: Clock, patience_ns: int, measures: Measures
    ) -> None:
        self.replay = replay
        self._bars = bars
        self._db = db
        self._clock = clock
        self._measures = measures
        self._patience_ns = patience_ns
        self._places: set[Place] = set()
        self._touched = asyncio.Event()
        self._advanced = asyncio.Event()
        self._closed = False

    @property
    def idle(self) -> bool:
        """Nothing left to release, and nobody reads."""
        return self.replay.finished and not self._places

    def close(self) -> None:
        """Send every subscriber away: the server stops."""
        self._closed = True
        self._announce()

    async def run(self) -> None:
        """Release bars until the session's end."""
        while not self.replay.finished and not self._closed:
            self._touched.clear()
            followers = [Follower(place.taken_ns, place.heard_at_ns) for place in self._places]
            after = release(self.replay, followers, self._now_ns(), self._patience_ns)
            if after is self.replay:
                await self._pause()
            else:
                await self._advance(after)

    async def deliveries(self, from_ns: int) -> AsyncGenerator[Delivery, None]:
        """Everything released from an instant on, then what is released as it is.

        Asking for the next delivery says that the one before was taken. Raises Unavailable (E_STOPPING).
        """
        position = from_ns
        with self._place(from_ns) as place:
            while True:
                seen = self.replay
                for delivery in self._released(position, seen):
                    yield delivery
                if seen.finished:
                    return
                position = max(position, seen.watermark_ns)
                place.taken_ns, place.heard_at_ns = position, self._now_ns()
                self._touched.set()
                await self._beyond(position)

    def _released(self, from_ns: int, seen: Replay) -> Iterator[Delivery]:
        """What lies between a position and a state of the session, in batches; at its end always one, the last."""
        opens_before = seen.watermark_ns - seen.interval_ns + 1
        table = self._bars.within(Span(from_ns, max(from_ns, opens_before)))
        batches = [table.take(slice(i, i + BATCH_BARS)) for i in range(0, max(1, len(table)), BATCH_BARS)]
        for number, batch in enumerate(batches, start=1):
            final = number == len(batches)
            if final and (seen.watermark_ns > from_ns or seen.finished):
                yield Delivery(batch, seen.watermark_ns, seen.finished)
            elif not final:
                yield Delivery(batch, int(batch.time_ns[-1]) + seen.interval_ns, False)

    @contextmanager
    def _place(self, from_ns: int) -> Iterator[Place]:
        place = Place(from_ns, self._now_ns())
        self._places.add(place)
        self._touched.set()
        try:
            yield place
        finally:
            self._places.discard(place)
            self._touched.set()

    async def _beyond(self, position: int) -> None:
        while not self._closed and not self.replay.finished and self.replay.watermark_ns <= position:
            await self._advanced.wait()
        if self._closed:
            raise Unavailable("E_STOPPING", "seamless stops; subscribe again from the last bar's close_time")

    async def _advance(self, after: Replay) -> None:
        try:
            await self._db.write(lambda conn: store.advance_replay(conn, after))
        except (Unavailable, Exhausted) as error:
            log.warning("replay_waits_for_store", session=after.session_id, reason=error.reason, error=error.message)
            await self._clock.sleep(_STORE_RETRY_S)
            return
        self._measures.replayed_bars.inc()
        self.replay = after
        self._announce()

    def _announce(self) -> None:
        woken, self._advanced = self._advanced, asyncio.Event()
        woken.set()
        self._touched.set()

    async def _pause(self) -> None:
        """Until a subscriber moves, comes or goes, the next bar is due, or the slowest is given up on."""
        due_in_ns = next_due_ns(self.replay) - self._now_ns()
        limit_ns = due_in_ns if due_in_ns > 0 else self._patience_ns
        waits: set[asyncio.Future[object]] = {asyncio.ensure_future(self._touched.wait())}
        if self._places:
            waits.add(asyncio.ensure_future(self._clock.sleep(limit_ns / 1e9)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _now_ns(self) -> int:
        return wire.now_ns(self._clock.now())
