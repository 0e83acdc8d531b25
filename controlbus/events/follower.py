"""Snapshot, then follow: keep a copy of an owner's states that ends the same whatever the wire did.

    async with bus.follow(["activation_updated"], snapshot) as states:
        async for state in states:                      # Current(kind, key, revision, payload)
            cache[state.key] = state.payload            # payload None: the owner has no such key (any more)

`snapshot(kind, key)` asks the owner by RPC: all keys of a type (key None), or one; each with the revision the owner
reports beside the state. It is asked at start, after a loss of position, and per key when revisions jump.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

import structlog
from google.protobuf.message import Message

from controlbus.events.control_event import UndecodableEvent, decode, payload_of, payload_type
from controlbus.events.revisions import Current, Tracker, Verdict
from controlbus.jetstream.connection import Link
from controlbus.jetstream.ordered_reader import Start, TooOld, control_info, read
from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, Exhausted, NotReady, Unavailable

log = structlog.stdlib.get_logger("qmtl.controlbus.events")

Snapshot = Callable[[str, str | None], Awaitable[Sequence[Current]]]
PASSING = (Unavailable, DeadlineExceeded, Exhausted, NotReady)
RETRY_FIRST_S = 0.25
RETRY_MAX_S = 5.0


class Follower:
    """Made by Bus.follow. `synced` is set while the copy is complete up to what the broker has delivered."""

    def __init__(
        self, link: Link, kinds: Sequence[str], filters: Sequence[str], snapshot: Snapshot, clock: Clock
    ) -> None:
        self._link = link
        self._kinds = tuple(kinds)
        self._filters = tuple(filters)
        self._snapshot = snapshot
        self._clock = clock
        self._tracker = Tracker()
        self.synced = asyncio.Event()

    async def states(self) -> AsyncGenerator[Current, None]:
        """For ever: the snapshot's states, then each change. Close it with aclosing."""
        while True:
            self.synced.clear()
            await self._link.wait_up()
            try:
                position = (await control_info(self._link)).state.last_seq
                for kind in self._kinds:
                    for state in self._tracker.restore(kind, await self._ask(kind, None)):
                        yield state
                self.synced.set()
                async with aclosing(self._changes(position)) as changes:
                    async for state in changes:
                        yield state
            except TooOld as lost:
                self._link.metrics.resyncs.inc()
                log.warning("position_lost_loading_the_snapshot_again", reason=str(lost))
            except Unavailable:
                await self._link.pause()

    async def _changes(self, position: int) -> AsyncGenerator[Current, None]:
        async with aclosing(read(self._link, self._filters, Start(after=position))) as messages:
            async for sequence, message in messages:
                try:
                    event = _current(message.data)
                except UndecodableEvent as error:
                    log.error("undecodable_event_skipped", sequence=sequence, reason=str(error))
                    continue
                state = await self._judge(event)
                if state is not None:
                    yield state

    async def _judge(self, event: Current) -> Current | None:
        if event.kind not in self._kinds:
            return None
        verdict = self._tracker.offer(event)
        if verdict is Verdict.GAP:
            self._link.metrics.gaps.labels(event.kind).inc()
            found = [state for state in await self._ask(event.kind, event.key) if state.key == event.key]
            return self._tracker.heal(event, found[0] if found else None)
        if verdict is Verdict.DROP:
            self._link.metrics.duplicates.labels("follower").inc()
            return None
        return event

    async def _ask(self, kind: str, key: str | None) -> Sequence[Current]:
        """The owner's answer, asked for until it comes."""
        delay_s = RETRY_FIRST_S
        while True:
            try:
                return await self._snapshot(kind, key)
            except PASSING as error:
                log.warning("owner_does_not_answer", event_type=kind, key=key, error=str(error))
            await self._clock.sleep(delay_s)
            delay_s = min(2 * delay_s, RETRY_MAX_S)


def _current(body: bytes) -> Current:
    event = decode(body)
    payload: Message = payload_of(event)
    return Current(payload_type(event), event.key, event.revision, payload)
