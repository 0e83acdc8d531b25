"""Replay sessions of this process: opening them once under a name, finding them again, running them.

A session is state in SQL; its player is started when somebody subscribes, after a restart too.
"""

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from qmtl.calendars.spans import Span
from qmtl.core.clock import Clock
from qmtl.core.errors import Conflict, Exhausted, NotFound, NotReady, Unavailable, refused
from qmtl.core.instants import from_ns, timestamp_text, to_ns
from qmtl.sql.database import Database
from seamless.artifacts.inventory import Inventory
from seamless.config import Settings
from seamless.domain.bars import Bars
from seamless.domain.datasets import parse_dataset
from seamless.domain.manifests import Manifest
from seamless.domain.sessions.memberships import Membership, stretch
from seamless.domain.sessions.playback import Member, Replay
from seamless.domain.sessions.requests import FOLLOWERS_MAX, SessionRequest, check_name
from seamless.metrics import SeamlessMetrics
from seamless.presets.preset import Universe
from seamless.recordings.recorder import Recorder, Recording
from seamless.replay import store
from seamless.replay.player import PlaybackResources, Player

ROOM_RETRY_S = 60.0


class ReplaySessions:
    """The sessions of the store, and the players of those that are read here."""

    def __init__(
        self, inventory: Inventory, db: Database, clock: Clock, settings: Settings, metrics: SeamlessMetrics
    ) -> None:
        self._inventory = inventory
        self._recorder = Recorder(inventory, db)
        self._resources = PlaybackResources(db, clock, metrics, int(settings.subscriber_patience_s * 1e9))
        self._replays_max = settings.replays_max
        self._world_replays_max = settings.world_replays_max
        self._idle_s = settings.replay_idle_s
        self._players: dict[str, Player] = {}
        self._starting = asyncio.Lock()
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Hold the players' tasks until cancelled; one that fails ends all, and each starts again when it is read."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                await asyncio.Event().wait()
        finally:
            self._tasks = None
            for player in self._players.values():
                player.close()
            self._players.clear()

    async def close_when(self, draining: asyncio.Event) -> None:
        """Send the subscribers away when the server begins to stop."""
        await draining.wait()
        for player in self._players.values():
            player.close()

    async def open(self, universe: Universe, asked: SessionRequest) -> Replay:
        """Open a session, or answer the one of this name if it has the same settings.

        Raises InvalidRequest (E_DATA_SESSION), NotReady (E_NOT_A_REPLAY), Conflict (E_DATA_SESSION_CONFLICT),
        Exhausted (E_DATA_SESSIONS).
        """
        for preset in universe.members:
            if not preset.replay:
                raise NotReady("E_NOT_A_REPLAY", f"{preset.name} has a real live feed, it is not replayed")
        known = await self._load(asked.session_id)
        if known is not None:
            return await self._same(known, universe, asked)
        await self._make_room(asked.world_id)
        draft = await self._draft(universe, asked)
        stored = await self._resources.db.write(lambda conn: _add_session(conn, draft, asked.followers))
        return stored if stored == draft else await self._same(stored, universe, asked)

    async def play_recording(self, recording: Recording, asked: SessionRequest) -> Replay:
        """Open a session on what another was told, at the same data times, or answer the one of this name on the same.

        Raises InvalidRequest (E_DATA_SESSION), Conflict (E_DATA_SESSION_CONFLICT), Exhausted (E_DATA_SESSIONS).
        """
        if asked.start_ns is not None:
            at = timestamp_text(from_ns(asked.start_ns))
            raise refused("E_DATA_SESSION", "start_time", at, "none: a recording is played whole")
        now_ns = to_ns(self._resources.clock.now())
        draft = Replay(
            session_id=asked.session_id,
            world_id=asked.world_id,
            preset=recording.preset,
            members=recording.members,
            span=recording.span,
            interval_ns=recording.step_ns,
            bars_per_s=asked.bars_per_s,
            opened_at_ns=now_ns,
            advanced_at_ns=now_ns,
            watermark_ns=recording.span.start_ns,
            recorded=recording.session_id,
        )
        known = await self._load(asked.session_id)
        if known is None:
            await self._make_room(asked.world_id)
            known = await self._resources.db.write(lambda conn: _add_session(conn, draft, asked.followers))
        same = (known.world_id, known.members, known.recorded, known.bars_per_s)
        if same != (draft.world_id, draft.members, draft.recorded, draft.bars_per_s):
            raise _conflict(known)
        return known

    async def find(self, session_id: str) -> Replay:
        """A session as it stands. Raises NotFound (E_DATA_SESSION_UNKNOWN)."""
        found = await self._load(session_id)
        if found is None:
            raise NotFound("E_DATA_SESSION_UNKNOWN", f"no data session {session_id!r}")
        return found

    async def close(self, session_id: str) -> Replay:
        """End a session where it stands. Raises NotFound (E_DATA_SESSION_UNKNOWN)."""
        await self.find(session_id)
        async with self._starting:  # none begins to play it meanwhile
            if session_id in self._players:
                await self._players[session_id].end()
            else:
                await self._resources.db.write(lambda conn: store.end_replay(conn, session_id))
        return await self.find(session_id)

    async def worlds(self) -> list[str]:
        """Worlds whose sessions still have bars to play."""
        return await self._resources.db.read(store.unfinished_worlds)

    async def close_world(self, world_id: str) -> int:
        """End every session of a world; how many."""
        names = await self._resources.db.read(lambda conn: store.unfinished_of(conn, world_id))
        for name in names:
            await self.close(name)
        return len(names)

    async def player(self, session_id: str) -> Player:
        """The player of a session, started if need be. Raises NotFound (E_DATA_SESSION_UNKNOWN), NotReady."""
        async with self._starting:
            if session_id not in self._players:
                self._players[session_id] = await self._start(await self.find(session_id))
            return self._players[session_id]

    async def following(self, session_id: str, name: str) -> None:
        """Remember a follower, so that a restart waits for it too.

        Raises InvalidRequest (E_DATA_SESSION), Exhausted (E_FOLLOWERS), NotFound (E_DATA_SESSION_UNKNOWN).
        """
        check_name(name, "follower")
        await self.find(session_id)
        known = await self._resources.db.read(lambda conn: store.followers_of(conn, session_id))
        if name not in known and len(known) >= FOLLOWERS_MAX:
            raise Exhausted("E_FOLLOWERS", f"session {session_id} has {FOLLOWERS_MAX} followers already")
        await self._resources.db.write(lambda conn: store.add_followers(conn, session_id, [name]))

    async def left(self, session_id: str, name: str) -> None:
        """Forget a follower that is done for good."""
        await self._resources.db.write(lambda conn: store.remove_follower(conn, session_id, name))

    def waiting_for(self, session_id: str) -> tuple[str, ...]:
        """Followers a session that plays here waits for."""
        return self._players[session_id].waiting_for if session_id in self._players else ()

    async def source(self, replay: Replay, member: Member) -> Manifest:
        """The sealed segment a session plays of a member. Raises NotReady (E_ARTIFACT_MISSING)."""
        manifest = await self._inventory.artifact(member.source)
        if manifest is None:
            raise NotReady("E_ARTIFACT_MISSING", f"artifact {member.source} of session {replay.session_id} is gone")
        return manifest

    async def bars(self, replay: Replay, member: Member, opens: Span) -> Bars:
        """The bars of a member that open inside a span. Raises NotReady (E_ARTIFACT_MISSING)."""
        return await asyncio.to_thread(self._inventory.archive.bars, await self.source(replay, member), opens)

    async def _make_room(self, world_id: str) -> None:
        """Raises Exhausted (E_DATA_SESSIONS) while as many play as may, in all or of the world."""
        before_ns = to_ns(self._resources.clock.now()) - int(self._idle_s * 1e9)
        playing = {name for name, player in self._players.items() if not player.idle}
        await self._resources.db.write(lambda conn: store.drop_idle(conn, before_ns, playing))
        whole, own = await self._resources.db.read(lambda conn: store.unfinished_replays(conn, world_id))
        for count, most, whose in (
            (own, self._world_replays_max, f"sessions of world {world_id}"),
            (whole, self._replays_max, "sessions"),
        ):
            if count >= most:
                raise Exhausted(
                    "E_DATA_SESSIONS",
                    f"{most} {whose} are still playing, no more are opened",
                    hint="close one, or wait for its end",
                    retry_after_s=ROOM_RETRY_S,
                )

    async def _start(self, replay: Replay) -> Player:
        if self._tasks is None:
            raise Unavailable("E_GOING_AWAY", "replays are not running at present", retry_after_s=1.0)
        for name in [name for name, player in self._players.items() if player.idle]:
            del self._players[name]
        parts = [await self.bars(replay, member, _playing(replay, member)) for member in replay.members]
        names = await self._resources.db.read(lambda conn: store.followers_of(conn, replay.session_id))
        player = Player(replay, parts, names, self._resources, await self._told(replay))
        self._tasks.create_task(player.run(), name=f"replay {replay.session_id}")
        return player

    async def _told(self, replay: Replay) -> list[NDArray[np.int64]] | None:
        """When each bar of a recording was told, by member; None: each at its close."""
        if not replay.recorded:
            return None
        sealings = [await self._recorder.sealing(member.source, replay.recorded) for member in replay.members]
        return [one.told_ns for one in sealings]

    async def _load(self, session_id: str) -> Replay | None:
        if session_id in self._players:
            return self._players[session_id].replay
        return await self._resources.db.read(lambda conn: store.load_replay(conn, session_id))

    async def _draft(self, universe: Universe, asked: SessionRequest) -> Replay:
        sources = [await self._inventory.seen_at(preset, None) for preset in universe.members]
        intervals_ns = [preset.dataset.interval_ns for preset in universe.members]
        span = asked.span(_data(sources, intervals_ns, universe), universe.step_ns)
        members = []
        for preset, whole in zip(universe.members, sources, strict=True):
            step_ns, dataset, history = preset.dataset.interval_ns, str(preset.dataset), ""
            if whole.span.start_ns + step_ns <= span.start_ns:  # else it came later than the session's start
                history = (await self._inventory.seal_beginning(whole, span.start_ns, preset)).fingerprint
            members.append(Member(preset.name, dataset, step_ns, whole.fingerprint, history))
        now_ns = to_ns(self._resources.clock.now())
        return Replay(
            session_id=asked.session_id,
            world_id=asked.world_id,
            preset=universe.name,
            members=tuple(members),
            span=span,
            interval_ns=universe.step_ns,
            bars_per_s=asked.bars_per_s,
            opened_at_ns=now_ns,
            advanced_at_ns=now_ns,
            watermark_ns=span.start_ns,
        )

    async def _same(self, known: Replay, universe: Universe, asked: SessionRequest) -> Replay:
        if (known.world_id, known.preset, known.bars_per_s) != (asked.world_id, universe.name, asked.bars_per_s):
            raise _conflict(known)
        sources = [await self.source(known, member) for member in known.members]
        data = _data(sources, [member.interval_ns for member in known.members], universe)
        if known.span != asked.span(data, known.interval_ns):
            raise _conflict(known)
        return known


def _conflict(known: Replay) -> Conflict:
    return Conflict(
        "E_DATA_SESSION_CONFLICT",
        f"data session {known.session_id!r} is open with another world, preset, start or pace",
        hint="open it as it was opened, or under another name",
    )


def _data(sources: Sequence[Manifest], intervals_ns: Sequence[int], universe: Universe) -> Span:
    """The stretch that a session may begin and end in: each member has a bar before, and none ends earlier, unless by
    the universe's memberships it came later or left.
    """
    whole = [
        Span(one.span.start_ns + interval_ns - universe.step_ns, one.span.end_ns)
        for one, interval_ns in zip(sources, intervals_ns, strict=True)
    ]
    symbols = [parse_dataset(one.dataset).symbol for one in sources]
    always = [Membership(symbol, symbol, None, None) for symbol in symbols]
    return stretch(universe.memberships or always, list(zip(symbols, whole, strict=True)))


def _playing(replay: Replay, member: Member) -> Span:
    """The opens of the bars of a member that become known while a session plays."""
    return Span(replay.span.start_ns - member.interval_ns + 1, replay.span.end_ns - member.interval_ns + 1)


def _add_session(conn: Connection, draft: Replay, followers: tuple[str, ...]) -> Replay:
    stored = store.add_replay(conn, draft)
    if stored == draft:
        store.add_followers(conn, draft.session_id, followers)
    return stored
