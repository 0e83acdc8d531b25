"""Live data sessions: a world's name for its place in live feeds. Their bars come when the exchange closes them.

A session on a universe keeps the members that it was opened with, whatever the universe has later: that is logged, and
told with the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import structlog

from qmtl.calendars.spans import ceil_to, floor_to
from qmtl.core.clock import Clock
from qmtl.core.errors import Conflict, NotReady, refused
from qmtl.core.instants import from_ns, timestamp_text, to_ns
from qmtl.sql.database import Database
from seamless.artifacts.inventory import Inventory
from seamless.domain.sessions.playback import Delivery, Member
from seamless.domain.sessions.requests import SessionRequest
from seamless.live import store
from seamless.live.feed import LiveFeed
from seamless.live.feed_clock import FeedClock
from seamless.live.store import LiveSession
from seamless.presets.preset import Universe

log = structlog.stdlib.get_logger("qmtl.seamless.live")


class LiveSessions:
    """The live sessions of the store, over the feeds of this process."""

    def __init__(self, feeds: Mapping[str, LiveFeed], inventory: Inventory, db: Database, clock: Clock) -> None:
        self._feeds = feeds
        self._inventory = inventory
        self._db = db
        self._clock = clock
        self._ended: dict[str, asyncio.Event] = {}

    async def close_when(self, draining: asyncio.Event) -> None:
        """Send the subscribers away when the server begins to stop."""
        await draining.wait()
        for feed in self._feeds.values():
            feed.close()

    def feed(self, preset: str) -> LiveFeed:
        """The feed of a preset. Raises NotReady (E_DATASET_UNAVAILABLE)."""
        found = self._feeds.get(preset)
        if found is None:
            raise NotReady("E_DATASET_UNAVAILABLE", f"{preset} is not followed here", metadata={"dataset": preset})
        return found

    def followed(self, preset: str) -> LiveFeed | None:
        """The feed of a preset that is followed here and has begun."""
        found = self._feeds.get(preset)
        return found if found is not None and found.watermark_ns else None

    def began_ns(self, preset: str) -> int | None:
        """Where the bars of a preset's feed begin; None: it is not followed here, or has not begun."""
        found = self.followed(preset)
        return None if found is None else found.began_ns

    def clock_of(self, session: LiveSession) -> FeedClock:
        """The feeds of a session's members. Raises NotReady (E_DATASET_UNAVAILABLE): one is not followed here."""
        return FeedClock([self.feed(member.preset) for member in session.members])

    async def open(self, universe: Universe, asked: SessionRequest) -> LiveSession:
        """Open a session, or answer the one of this name if it is of the same world and preset.

        Raises InvalidRequest (E_DATA_SESSION), Conflict (E_DATA_SESSION_CONFLICT), Unavailable (E_DATASET_INGESTING).
        """
        if asked.bars_per_s:
            raise refused("E_DATA_SESSION", "bars_per_second", asked.bars_per_s, f"0: {universe.name} comes as it is")
        known = await self.find(asked.session_id)
        if known is None:
            draft = await self._draft(universe, asked)
            known = await self._db.write(lambda conn: store.add_session(conn, draft))
        if (known.world_id, known.preset) != (asked.world_id, universe.name):
            raise Conflict(
                "E_DATA_SESSION_CONFLICT",
                f"data session {known.session_id!r} is open with another world or preset",
                hint="open it as it was opened, or under another name",
            )
        return known

    async def _draft(self, universe: Universe, asked: SessionRequest) -> LiveSession:
        clock = FeedClock([self.feed(preset.name) for preset in universe.members])
        clock.require_begun()
        first_ns = clock.watermark_ns if asked.start_ns is None else floor_to(asked.start_ns, clock.step_ns)
        now_ns = to_ns(self._clock.now())
        newest_ns = max(clock.next_close_ns, ceil_to(now_ns, clock.step_ns))  # a feed may lag by some bars
        if not clock.oldest_ns <= first_ns <= newest_ns:
            at, oldest = (timestamp_text(from_ns(ns)) for ns in (first_ns, clock.oldest_ns))
            raise refused("E_DATA_SESSION", "start_time", at, f"from {oldest} to the next bar")
        members = []
        for preset in universe.members:
            newest = await self._inventory.newest(preset)
            history = newest.fingerprint if newest else ""
            members.append(Member(preset.name, str(preset.dataset), preset.dataset.interval_ns, "", history))
        return LiveSession(asked.session_id, asked.world_id, universe.name, tuple(members), first_ns, now_ns)

    async def find(self, session_id: str) -> LiveSession | None:
        """A session by its name; None: there is none, or it is a replay."""
        return await self._db.read(lambda conn: store.load_session(conn, session_id))

    async def close(self, session_id: str) -> None:
        """End a session: its subscribers are told."""
        now_ns = to_ns(self._clock.now())
        await self._db.write(lambda conn: store.end_session(conn, session_id, now_ns))
        self._end_of(session_id).set()

    async def worlds(self) -> list[str]:
        """Worlds whose sessions go on."""
        return await self._db.read(store.open_worlds)

    async def close_world(self, world_id: str) -> int:
        """End every session of a world; how many."""
        names = await self._db.read(lambda conn: store.open_of(conn, world_id))
        for name in names:
            await self.close(name)
        return len(names)

    async def changed(self) -> list[tuple[LiveSession, tuple[str, ...]]]:
        """Sessions that go on and have other members than their universe has now, with the presets of those."""
        found = []
        for session in await self._db.read(store.open_sessions):
            now = self._inventory.presets.members_of(session.preset)
            if sorted(now) != sorted(member.preset for member in session.members):
                found.append((session, now))
        return found

    async def tell_changes(self) -> None:
        """Log which sessions go on with members that their universe does not have any more, or not only."""
        for session, now in await self.changed():
            log.warning(
                "universe_changed",
                session=session.session_id,
                world=session.world_id,
                preset=session.preset,
                plays=[member.preset for member in session.members],
                universe=now,
                hint="the session goes on as it was opened; a new one has the universe's members",
            )

    async def deliveries(
        self, session: LiveSession, from_ns: int, place: int | None = None
    ) -> AsyncGenerator[Delivery, None]:
        """Bars from an instant on, of one member or of all, then each as it comes, until the session ends."""
        ended = self._end_of(session.session_id)
        if session.closed_at_ns:
            ended.set()
        clock = self.clock_of(session)
        async with aclosing(clock.deliveries(floor_to(from_ns, clock.step_ns), ended, place)) as found:
            async for delivery in found:
                yield delivery

    def _end_of(self, session_id: str) -> asyncio.Event:
        return self._ended.setdefault(session_id, asyncio.Event())
