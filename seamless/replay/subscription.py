"""What one subscriber of a data session gets: history from before the session, then its bars as they are released."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from qmtl.calendars.spans import Span, ceil_to
from qmtl.core.errors import NotReady, refused
from qmtl.core.roles import Role
from qmtl.rpc.auth.roles import WorldRoles
from seamless.artifacts.inventory import Inventory
from seamless.domain.sessions.playback import Delivery, Member, Replay, merged, place_of
from seamless.domain.sessions.requests import SubscribeQuery
from seamless.live.sessions import LiveSessions
from seamless.live.store import LiveSession
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
        """The session a subscriber asks for; without one, the live feeds themselves, which are told to everybody.

        Raises NotReady, NotFound, InvalidRequest (E_DATA_SESSION).
        """
        if not query.session_id:
            return self._unnamed(query.dataset)
        found = await self.find(query.session_id)
        await self._roles.require(found.world_id, Role.OPERATOR if query.follower else Role.READER)
        if found.preset != query.dataset and self._place(found, query) is None:
            played = f"{found.preset}, which session {found.session_id} plays"
            raise refused("E_DATA_SESSION", "dataset", query.dataset, played)
        return found

    async def find(self, session_id: str) -> Replay | LiveSession:
        """A session of either kind. Raises NotFound (E_DATA_SESSION_UNKNOWN)."""
        return await self._live.find(session_id) or await self._sessions.find(session_id)

    def _unnamed(self, name: str) -> LiveSession:
        presets = self._inventory.presets
        universe = presets.universe(name) if name in presets.universes else None
        members = universe.members if universe else (presets.serving(name),)
        if not members[0].exchange:
            raise NotReady(
                "E_DATASET_UNAVAILABLE",
                f"{name} has no live feed",
                hint="open a data session and subscribe with its session_id" if members[0].replay else "",
            )
        played = tuple(Member(one.name, str(one.dataset), one.dataset.interval_ns, "", "") for one in members)
        session = LiveSession("", "", universe.name if universe else members[0].name, played, 0, 0)
        return replace(session, start_ns=self._live.clock_of(session).watermark_ns)

    def told_as(self, session: Replay | LiveSession, query: SubscribeQuery) -> Labels:
        """What is said of each bar beside its values."""
        members = self.told_of(session, query)
        steps = tuple(member.interval_ns for member in members)
        if len(session.members) > 1 and len(members) > 1:
            return Labels(steps, None, tuple(member.preset for member in members))
        return Labels(steps, self._inventory.presets.serving(members[0].preset).volume_unit)

    def told_of(self, session: Replay | LiveSession, query: SubscribeQuery) -> tuple[Member, ...]:
        """The members of a session that a subscriber is told of."""
        place = self._place(session, query)
        return session.members if place is None else (session.members[place],)

    def _place(self, session: Replay | LiveSession, query: SubscribeQuery) -> int | None:
        """Which member of a session is asked for; None: all of a universe. Raises as `Presets.serving` does."""
        presets = self._inventory.presets
        if query.dataset in presets.universes or (query.dataset == session.preset and len(session.members) > 1):
            return None
        return place_of(session.members, str(presets.serving(query.dataset).dataset))

    async def require_reader(self, session_id: str) -> None:
        """Demand reader in a session's world. Raises NotFound, PermissionDenied."""
        await self._roles.require((await self.find(session_id)).world_id, Role.READER)

    async def deliveries(self, session: Replay | LiveSession, query: SubscribeQuery) -> AsyncGenerator[Delivery, None]:
        """Everything from the start on: a live session's as the exchange closes it, a replay's at its pace."""
        found = self._follow(session, query) if isinstance(session, LiveSession) else self._play(session, query)
        async with aclosing(found) as deliveries:
            async for delivery in deliveries:
                yield delivery

    def _follow(self, session: LiveSession, query: SubscribeQuery) -> AsyncGenerator[Delivery, None]:
        start_ns = session.start_ns if query.start_ns is None else query.start_ns
        return self._live.deliveries(session, start_ns, self._place(session, query))

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
