"""What one subscriber of a data session gets: history from before the session, then its bars as they are released."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from qmtl.calendars.spans import Span, ceil_to
from qmtl.core.errors import NotFound, NotReady, refused
from qmtl.core.roles import Role
from qmtl.rpc.auth.roles import WorldRoles
from seamless.artifacts.inventory import Inventory
from seamless.domain.sessions.playback import Delivery, Replay, merged
from seamless.domain.sessions.requests import SubscribeQuery
from seamless.live.sessions import LiveSessions
from seamless.live.store import LiveSession
from seamless.presets.preset import Preset
from seamless.replay.player import BATCH_BARS
from seamless.replay.sessions import ReplaySessions
from seamless.replay.wire import Labels


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
        if query.dataset in self._inventory.presets.universes:
            return await self._replay(query, None)
        preset = self._inventory.presets.serving(query.dataset)
        if preset.exchange:
            return await self._live_session(preset, query)
        return await self._replay(query, preset)

    async def _replay(self, query: SubscribeQuery, preset: Preset | None) -> Replay:
        """The replay asked for, of a whole universe or of one of its presets."""
        if not query.session_id:
            hint = "open a data session and subscribe with its session_id"
            raise NotReady(
                "E_DATASET_UNAVAILABLE",
                f"{query.dataset} has no live feed",
                hint=hint if preset is None or preset.replay else "",
            )
        replay = await self._sessions.find(query.session_id)
        await self._roles.require(replay.world_id, Role.READER)
        if query.follower:
            await self._roles.require(replay.world_id, Role.OPERATOR)
        plays = replay.preset == query.dataset if preset is None else replay.place_of(str(preset.dataset)) is not None
        if not plays:
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

    def told_as(self, session: Replay | LiveSession, query: SubscribeQuery) -> Labels:
        """What is said of each bar beside its values."""
        if isinstance(session, LiveSession):
            unit = self._inventory.presets.serving(query.dataset).volume_unit
            return Labels((self._live.feed(session.preset).interval_ns,), unit)
        place = self._place(session, query)
        if place is None:
            steps = tuple(member.interval_ns for member in session.members)
            return Labels(steps, None, tuple(member.preset for member in session.members))
        unit = self._inventory.presets.serving(query.dataset).volume_unit
        return Labels((session.members[place].interval_ns,), unit)

    def _place(self, replay: Replay, query: SubscribeQuery) -> int | None:
        """Which member of a session is asked for; None: all, of a universe."""
        if query.dataset in self._inventory.presets.universes:
            return None
        return replay.place_of(str(self._inventory.presets.serving(query.dataset).dataset))

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
        place = self._place(replay, query)
        async with aclosing(self._history(replay, start_ns, place)) as past:
            async for delivery in past:
                yield delivery
        if query.follower:
            await self._sessions.following(replay.session_id, query.follower)
        player = await self._sessions.player(replay.session_id)
        async with aclosing(player.deliveries(max(start_ns, replay.span.start_ns), query.follower, place)) as released:
            async for delivery in released:
                yield delivery

    async def _history(self, replay: Replay, start_ns: int, place: int | None) -> AsyncGenerator[Delivery, None]:
        """The bars that open from an instant on and are known at the session's start."""
        if start_ns >= replay.span.start_ns:
            return
        parts = []
        for member in replay.members if place is None else (replay.members[place],):
            known_ns = replay.span.start_ns - member.interval_ns + 1
            opens = Span(start_ns, max(start_ns, known_ns))
            parts.append((await self._sessions.bars(replay, member, opens), member.interval_ns))
        for delivery in merged(parts).batches(BATCH_BARS, start_ns):
            yield delivery
