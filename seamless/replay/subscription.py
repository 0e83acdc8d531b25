"""What one subscriber of a data session gets: history from before the session, then its bars as they are released."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from qmtl.calendars.spans import Span, ceil_to
from qmtl.core.errors import NotFound, NotReady, refused
from qmtl.core.roles import Role
from qmtl.core.volumes import VolumeUnit
from qmtl.rpc.auth.roles import WorldRoles
from seamless.artifacts.inventory import Inventory
from seamless.domain.playback import Delivery, Replay
from seamless.domain.session_requests import SubscribeQuery
from seamless.live.sessions import LiveSessions
from seamless.live.store import LiveSession
from seamless.presets.preset import Preset
from seamless.replay.player import BATCH_BARS
from seamless.replay.sessions import ReplaySessions


class Subscriptions:
    """Subscriptions to the sessions of this process."""

    def __init__(self, inventory: Inventory, sessions: ReplaySessions, live: LiveSessions, roles: WorldRoles) -> None:
        self._inventory = inventory
        self._sessions = sessions
        self._live = live
        self._roles = roles

    async def session(self, query: SubscribeQuery) -> Replay | LiveSession:
        """The session a subscriber asks for; without one, the live feed itself, which is told to everybody.

        Raises NotReady, NotFound, InvalidRequest (E_DATA_SESSION).
        """
        preset = self._inventory.presets.serving(query.dataset)
        if preset.exchange:
            return await self._live_session(preset, query)
        if not query.session_id:
            hint = "open a data session and subscribe with its session_id" if preset.replay else ""
            raise NotReady("E_DATASET_UNAVAILABLE", f"{preset.name} has no live feed", hint=hint)
        replay = await self._sessions.find(query.session_id)
        await self._roles.require(replay.world_id, Role.READER)
        if query.follower:
            await self._roles.require(replay.world_id, Role.OPERATOR)
        if replay.dataset != str(preset.dataset):
            played = f"{replay.preset}, which session {replay.session_id} plays"
            raise refused("E_DATA_SESSION", "dataset", query.dataset, played)
        return replay

    async def _live_session(self, preset: Preset, query: SubscribeQuery) -> LiveSession:
        if not query.session_id:
            return LiveSession("", "", preset.name, "", self._live.feed(preset.name).watermark_ns, 0)
        found = await self._live.find(query.session_id)
        if found is None:
            raise NotFound("E_DATA_SESSION_UNKNOWN", f"no live data session {query.session_id!r}")
        await self._roles.require(found.world_id, Role.OPERATOR if query.follower else Role.READER)
        if found.preset != preset.name:
            raise refused("E_DATA_SESSION", "dataset", query.dataset, f"{found.preset}, which the session is on")
        return found

    def interval_ns(self, session: Replay | LiveSession) -> int:
        """The interval of a session's bars."""
        return session.interval_ns if isinstance(session, Replay) else self._live.feed(session.preset).interval_ns

    def volume_unit(self, query: SubscribeQuery) -> VolumeUnit:
        """What the volume of the bars counts that a subscriber asks for."""
        return self._inventory.presets.serving(query.dataset).volume_unit

    async def require_reader(self, session_id: str) -> None:
        """Demand reader in a session's world. Raises NotFound, PermissionDenied."""
        found = await self._live.find(session_id) or await self._sessions.find(session_id)
        await self._roles.require(found.world_id, Role.READER)

    async def deliveries(self, session: Replay | LiveSession, query: SubscribeQuery) -> AsyncGenerator[Delivery, None]:
        """Everything from the start on: a live session's as the exchange closes it, a replay's at its pace."""
        found = self._follow(session, query) if isinstance(session, LiveSession) else self._play(session, query)
        async with aclosing(found) as deliveries:
            async for delivery in deliveries:
                yield delivery

    def _follow(self, session: LiveSession, query: SubscribeQuery) -> AsyncGenerator[Delivery, None]:
        return self._live.deliveries(session, session.start_ns if query.start_ns is None else query.start_ns)

    async def _play(self, replay: Replay, query: SubscribeQuery) -> AsyncGenerator[Delivery, None]:
        """At the replay's pace; a follower is waited for until it confirms."""
        start_ns = replay.span.start_ns if query.start_ns is None else ceil_to(query.start_ns, replay.interval_ns)
        async with aclosing(self._history(replay, start_ns)) as past:
            async for delivery in past:
                yield delivery
        if query.follower:
            await self._sessions.following(replay.session_id, query.follower)
        player = await self._sessions.player(replay.session_id)
        async with aclosing(player.deliveries(max(start_ns, replay.span.start_ns), query.follower)) as released:
            async for delivery in released:
                yield delivery

    async def _history(self, replay: Replay, start_ns: int) -> AsyncGenerator[Delivery, None]:
        """The bars from before the session's start."""
        if start_ns >= replay.span.start_ns:
            return
        source = await self._sessions.source(replay)
        before = Span(start_ns, replay.span.start_ns)
        table = await asyncio.to_thread(self._inventory.archive.bars, source, before)
        for i in range(0, len(table), BATCH_BARS):
            batch = table.take(slice(i, i + BATCH_BARS))
            yield Delivery(batch, int(batch.time_ns[-1]) + replay.interval_ns, False)
