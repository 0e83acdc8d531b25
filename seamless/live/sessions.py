"""Live data sessions: a world's name for its place in a live feed. Their bars come when the exchange closes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from qmtl.calendars.spans import ceil_to
from qmtl.core.clock import Clock
from qmtl.core.errors import Conflict, NotReady, refused
from qmtl.core.instants import from_ns, timestamp_text, to_ns
from qmtl.sql.database import Database
from seamless.artifacts.inventory import Inventory
from seamless.domain.sessions.playback import Delivery
from seamless.domain.sessions.requests import SessionRequest
from seamless.live import store
from seamless.live.feed import LiveFeed
from seamless.live.store import LiveSession
from seamless.presets.preset import Preset


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

    async def open(self, preset: Preset, asked: SessionRequest) -> LiveSession:
        """Open a session, or answer the one of this name if it is of the same world and preset.

        Raises InvalidRequest (E_DATA_SESSION), Conflict (E_DATA_SESSION_CONFLICT), Unavailable (E_DATASET_INGESTING).
        """
        if asked.bars_per_s:
            raise refused("E_DATA_SESSION", "bars_per_second", asked.bars_per_s, f"0: {preset.name} comes as it is")
        known = await self.find(asked.session_id)
        if known is None:
            feed = self.feed(preset.name)
            feed.require_begun()
            first_ns = feed.watermark_ns if asked.start_ns is None else ceil_to(asked.start_ns, feed.interval_ns)
            now_ns = to_ns(self._clock.now())
            newest_ns = max(feed.next_close_ns, ceil_to(now_ns, feed.interval_ns))  # a feed may lag by some bars
            if not feed.oldest_ns <= first_ns <= newest_ns:
                at, oldest = (timestamp_text(from_ns(ns)) for ns in (first_ns, feed.oldest_ns))
                raise refused("E_DATA_SESSION", "start_time", at, f"from {oldest} to the next bar")
            newest = await self._inventory.newest(preset)
            history = newest.fingerprint if newest else ""
            draft = LiveSession(asked.session_id, asked.world_id, preset.name, history, first_ns, now_ns)
            known = await self._db.write(lambda conn: store.add_session(conn, draft))
        if (known.world_id, known.preset) != (asked.world_id, preset.name):
            raise Conflict(
                "E_DATA_SESSION_CONFLICT",
                f"data session {known.session_id!r} is open with another world or preset",
                hint="open it as it was opened, or under another name",
            )
        return known

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

    async def deliveries(self, session: LiveSession, from_ns: int) -> AsyncGenerator[Delivery, None]:
        """Bars from an instant on, then each as it comes, until the session ends."""
        ended = self._end_of(session.session_id)
        if session.closed_at_ns:
            ended.set()
        feed = self.feed(session.preset)
        async with aclosing(feed.deliveries(ceil_to(from_ns, feed.interval_ns), ended)) as found:
            async for delivery in found:
                yield delivery

    def _end_of(self, session_id: str) -> asyncio.Event:
        return self._ended.setdefault(session_id, asyncio.Event())
