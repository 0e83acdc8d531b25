"""One replay session at work: a task that releases bars, and those it waits for.

A new watermark is committed before any subscriber may see past the old one, so `kill -9` at any point
never takes a bar back. Bars sent are read from the sealed segment, so every subscriber sees the same.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from qmtl.core.clock import Clock
from qmtl.core.errors import Exhausted, NotFound, Unavailable, refused
from qmtl.core.instants import from_ns, timestamp_text, to_ns
from qmtl.sql.database import Database
from seamless.domain.bars import Bars
from seamless.domain.sessions.playback import (
    Delivery,
    Follower,
    Replay,
    held_back,
    merged,
    next_due_ns,
    release,
    told,
    told_again,
)
from seamless.metrics import SeamlessMetrics
from seamless.replay import store

BATCH_BARS = 256
_STORE_RETRY_S = 0.2
log = structlog.stdlib.get_logger("qmtl.seamless.replay")


@dataclass(slots=True, eq=False)
class Progress:
    """How far one subscriber or follower is."""

    taken_ns: int
    heard_at_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class PlaybackResources:
    """What every player of a process works with."""

    db: Database
    clock: Clock
    metrics: SeamlessMetrics
    patience_ns: int


class Player:
    """The one place of a process where a session advances and is read."""

    def __init__(
        self,
        replay: Replay,
        parts: Sequence[Bars],
        followers: Iterable[str],
        resources: PlaybackResources,
        told_ns: Sequence[NDArray[np.int64]] | None = None,
    ) -> None:
        """`parts` are the bars of each of the session's members that become known while it plays, `told_ns` when each
        does; None: at its close.
        """
        self.replay = replay
        steps = [member.interval_ns for member in replay.members]
        closes = [part.time_ns + step for part, step in zip(parts, steps, strict=True)]
        known = closes if told_ns is None else told_ns
        self._held = held_back(closes, known)
        self._whole = merged(list(zip(parts, steps, strict=True)), known)
        self._of_one = [merged([(part, step)], [at]) for part, step, at in zip(parts, steps, known, strict=True)]
        self._resources = resources
        self._places: set[Progress] = set()
        self._followers = {name: Progress(replay.span.start_ns, self._now_ns()) for name in followers}
        self._touched = asyncio.Event()
        self._advanced = asyncio.Event()
        self._closed = False
        self._writing = asyncio.Lock()

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """Followers that have not confirmed the newest bar."""
        return tuple(sorted(n for n, place in self._followers.items() if place.taken_ns < self.replay.watermark_ns))

    @property
    def idle(self) -> bool:
        """Nothing left to release, and nobody reads."""
        return self.replay.finished and not self._places

    def close(self) -> None:
        """Send every subscriber away: the server stops."""
        self._closed = True
        self._announce()

    async def end(self) -> None:
        """Play no further: the session ends at its watermark. Raises as the store does."""
        async with self._writing:
            if self.replay.finished:
                return
            await self._resources.db.write(lambda conn: store.end_replay(conn, self.replay.session_id))
            self.replay = self.replay.ended()
        self._followers.clear()
        self._announce()

    async def run(self) -> None:
        """Release bars until the session's end."""
        while not self.replay.finished and not self._closed:
            self._touched.clear()
            followers = [Follower(p.taken_ns, p.heard_at_ns) for p in (*self._places, *self._followers.values())]
            after = release(self.replay, followers, self._now_ns(), self._resources.patience_ns, self._held)
            if after is self.replay:
                await self._pause()
            else:
                await self._advance(after)

    def follow(self, name: str, from_ns: int) -> None:
        """Wait for a follower from now on; it is done with what came before an instant."""
        known = self._followers.setdefault(name, Progress(from_ns, self._now_ns()))
        known.taken_ns, known.heard_at_ns = max(known.taken_ns, from_ns), self._now_ns()
        self._touched.set()

    def confirm(self, name: str, through_ns: int) -> None:
        """A follower is done with every bar that closes by an instant.

        Raises NotFound (E_FOLLOWER_UNKNOWN), InvalidRequest (E_DATA_SESSION) for an instant not reached yet.
        """
        if name not in self._followers:
            raise NotFound("E_FOLLOWER_UNKNOWN", f"session {self.replay.session_id} has no follower {name!r}")
        if through_ns > self.replay.watermark_ns:
            reached = timestamp_text(from_ns(self.replay.watermark_ns))
            given = timestamp_text(from_ns(through_ns))
            raise refused("E_DATA_SESSION", "through", given, f"at most the watermark, {reached}")
        self.follow(name, through_ns)

    def leave(self, name: str) -> None:
        """A follower is not waited for any more."""
        self._followers.pop(name, None)
        self._touched.set()

    async def deliveries(
        self, from_ns: int, follower: str = "", place: int | None = None
    ) -> AsyncGenerator[Delivery, None]:
        """Everything released from an instant on, then what is released as it is; of one member (`place`) or of all.

        Asking for the next delivery says that the one before was taken; a follower says so by `confirm` instead. Who
        reads a recording, at any time, is told of each bar as the recorded session was; a follower, who may have been
        away, how far this one has come.
        Raises Unavailable (E_STOPPING).
        """
        position = from_ns
        if follower:
            self.follow(follower, from_ns)
        tape = self._whole if place is None else self._of_one[place]
        tell = told_again if self.replay.recorded and not follower else told
        with self._seat(from_ns, waited_for=not follower) as seat:
            while True:
                seen = self.replay
                for delivery in tell(tape, position, seen.watermark_ns, BATCH_BARS, last=seen.finished):
                    yield delivery
                if seen.finished:
                    return
                position = max(position, seen.watermark_ns)
                seat.taken_ns, seat.heard_at_ns = position, self._now_ns()
                self._touched.set()
                await self._beyond(position)

    @contextmanager
    def _seat(self, from_ns: int, *, waited_for: bool) -> Iterator[Progress]:
        seat = Progress(from_ns, self._now_ns())
        if waited_for:
            self._places.add(seat)
        self._touched.set()
        try:
            yield seat
        finally:
            self._places.discard(seat)
            self._touched.set()

    async def _beyond(self, position: int) -> None:
        while not self._closed and not self.replay.finished and self.replay.watermark_ns <= position:
            await self._advanced.wait()
        if self._closed:
            raise Unavailable("E_STOPPING", "seamless stops; subscribe again from the last bar's close_time")

    async def _advance(self, after: Replay) -> None:
        try:
            async with self._writing:
                if self.replay.finished:  # it was ended meanwhile
                    return
                await self._resources.db.write(lambda conn: store.advance_replay(conn, after))
                self.replay = after
        except (Unavailable, Exhausted) as error:
            log.warning("replay_waits_for_store", session=after.session_id, reason=error.reason, error=error.message)
            await self._resources.clock.sleep(_STORE_RETRY_S)
            return
        self._resources.metrics.replayed_bars.inc()
        self._announce()

    def _announce(self) -> None:
        woken, self._advanced = self._advanced, asyncio.Event()
        woken.set()
        self._touched.set()

    async def _pause(self) -> None:
        """Until someone moves, comes or goes, the next bar is due, or the slowest is given up on."""
        due_in_ns = next_due_ns(self.replay) - self._now_ns()
        limit_ns = due_in_ns if due_in_ns > 0 else self._resources.patience_ns
        waits: set[asyncio.Future[object]] = {asyncio.ensure_future(self._touched.wait())}
        if self._places or self._followers:
            waits.add(asyncio.ensure_future(self._resources.clock.sleep(limit_ns / 1e9)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _now_ns(self) -> int:
        return to_ns(self._resources.clock.now())
