"""Records what live sessions deliver, before anybody has it, and seals it.

A run that trades live acts on bars as they were told first; the exchange may correct them later, and storage has the
correction. A recording has what was acted on: a backtest that names its fingerprint is given the same.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from qmtl.calendars.spans import Span
from qmtl.core.errors import NotFound, NotReady, refused
from qmtl.sql.database import Database
from seamless.artifacts.inventory import Inventory
from seamless.domain.bars import Bars, no_bars
from seamless.domain.manifests import Manifest
from seamless.domain.sessions.playback import Delivery, Member, Replay
from seamless.live.store import LiveSession
from seamless.recordings import store
from seamless.recordings.store import Recorded, Sealing

FindSession = Callable[[str], Awaitable[Replay | LiveSession]]
ReadPlayed = Callable[[Replay, Member, Span], Awaitable[Bars]]


@dataclass(frozen=True, slots=True)
class Recording:
    """What a session was told, to be played again: its members, each with the sealed bars as source. `step_ns` is that
    of the session's clock, on which all was told, also where some of its members are not played.
    """

    session_id: str
    world_id: str
    preset: str
    members: tuple[Member, ...]
    span: Span
    step_ns: int


class Recorder:
    """The recordings of the store."""

    def __init__(self, inventory: Inventory, db: Database) -> None:
        self._inventory = inventory
        self._db = db

    async def through(
        self, session: LiveSession, members: Sequence[Member], deliveries: AsyncGenerator[Delivery, None]
    ) -> AsyncGenerator[Delivery, None]:
        """A live session's deliveries, each recorded before it goes on; `members` by the places of its bars.

        It ends with the session: what came before and was not delivered by then is delivered to nobody.
        """
        told_ns = session.start_ns
        async with aclosing(deliveries):
            async for delivery in deliveries:
                if not await self.record(session.session_id, session.start_ns, members, delivery):
                    yield Delivery(no_bars(), told_ns, True)
                    return
                told_ns = max(told_ns, delivery.watermark_ns)
                yield delivery

    async def record(self, session_id: str, since_ns: int, members: Sequence[Member], delivery: Delivery) -> bool:
        """Keep the bars of a live session's delivery that close after its start; `members` by their places.

        False where the session is closed: they are not part of its recording, and so nobody's to act on.
        """
        parts = [(one.preset, _of_place(delivery, place, one, since_ns)) for place, one in enumerate(members)]
        some = [(preset, bars) for preset, bars in parts if len(bars)]
        told_ns = delivery.reached_ns or delivery.watermark_ns
        return not some or await self._db.write(lambda conn: store.add_delivery(conn, session_id, some, told_ns))

    async def seal_live(self, session_id: str, *, final: bool) -> list[tuple[str, Manifest]]:
        """Seal what a live session has delivered by now, by preset; the last time when it is closed.

        Raises NotReady (E_DATASET_UNAVAILABLE) if a preset is not served any more, Exhausted (E_DISK_SMALL).
        """
        for preset in await self._db.read(lambda conn: store.presets_of(conn, session_id)):
            await self._seal(session_id, preset, final=final)
        return await self.sealed(session_id)

    async def sealed(self, session_id: str) -> list[tuple[str, Manifest]]:
        """What a live session's bars were sealed as, the last time, by preset."""
        kept = await self._db.read(lambda conn: store.recordings_of(conn, session_id))
        return [(one.preset, await self._manifest(one)) for one in kept]

    async def seal_replay(self, replay: Replay, read: ReadPlayed) -> list[tuple[str, Manifest]]:
        """Seal what a replay has played by now, by preset; of one that has played nothing there is none."""
        made = []
        for member in replay.members:
            first, until = (edge - member.interval_ns + 1 for edge in (replay.span.start_ns, replay.watermark_ns))
            bars = await read(replay, member, Span(first, max(first, until)))
            if len(bars):
                preset = self._inventory.presets.serving(member.preset)
                sealed = await self._inventory.seal_recording(preset, bars)
                told_ns = bars.time_ns + member.interval_ns
                await self._keep(Sealing(sealed.fingerprint, replay.session_id, member.preset, told_ns))
                made.append((member.preset, sealed))
        return made

    async def sealing(self, fingerprint: str, session_id: str) -> Sealing:
        """What a session delivered and was sealed as a fingerprint; without a session, whoever delivered it.

        Raises NotFound (E_ARTIFACT_UNKNOWN), InvalidRequest (E_DATA_SESSION): sessions were told it at other times.
        """
        known = await self._db.read(lambda conn: store.sealings_of(conn, fingerprint))
        found = [one for one in known if session_id in ("", one.session_id)]
        if not found:
            whose = f" of session {session_id}" if session_id else ""
            raise NotFound("E_ARTIFACT_UNKNOWN", f"no recording{whose} is {fingerprint!r}")
        if any(not np.array_equal(one.told_ns, found[0].told_ns) for one in found):
            names = ", ".join(one.session_id for one in found)
            raise refused("E_DATA_SESSION", "recorded_session_id", "none", f"one of {names}, told at other times")
        return found[0]

    async def recording(self, fingerprints: Sequence[str], session_id: str, find: FindSession) -> Recording:
        """What a session was told as these fingerprints, one of each preset that is wanted.

        Raises NotFound (E_ARTIFACT_UNKNOWN), InvalidRequest (E_DATA_SESSION): two are of one preset, or a session
        must be named.
        """
        first = await self.sealing(fingerprints[0], session_id)
        sealings = [first, *[await self.sealing(one, first.session_id) for one in fingerprints[1:]]]
        found = await find(first.session_id)
        by_preset = {one.preset: one for one in sealings}
        if len(by_preset) < len(sealings):
            raise refused("E_DATA_SESSION", "recordings", f"{len(sealings)} of {len(by_preset)} presets", "one of each")
        members = tuple(
            replace(member, source=by_preset[member.preset].fingerprint)
            for member in found.members
            if member.preset in by_preset
        )
        start_ns = found.span.start_ns if isinstance(found, Replay) else found.start_ns
        end_ns = max(int(one.told_ns[-1]) for one in sealings)
        name = found.preset if len(members) == len(found.members) or len(members) > 1 else members[0].preset
        step_ns = found.interval_ns if isinstance(found, Replay) else gcd(*(one.interval_ns for one in found.members))
        return Recording(found.session_id, found.world_id, name, members, Span(start_ns, end_ns), step_ns)

    async def _keep(self, made: Sealing) -> None:
        await self._db.write(lambda conn: store.keep_sealing(conn, made))

    async def _seal(self, session_id: str, name: str, *, final: bool) -> None:
        preset = self._inventory.presets.serving(name)
        bars, told_ns = await self._db.read(lambda conn: store.bars_of(conn, session_id, name))
        if not len(bars):  # another seal has finished it since
            return
        sealed = await self._inventory.seal_recording(preset, bars)
        await self._keep(Sealing(sealed.fingerprint, session_id, name, told_ns))
        done = Recorded(session_id, name, sealed.fingerprint, final)
        await self._db.write(lambda conn: store.keep_recording(conn, done))

    async def _manifest(self, recorded: Recorded) -> Manifest:
        found = await self._inventory.artifact(recorded.fingerprint)
        if found is None:
            raise NotReady("E_ARTIFACT_MISSING", f"recording {recorded.fingerprint} is gone")
        return found


def _of_place(delivery: Delivery, place: int, member: Member, since_ns: int) -> Bars:
    bars = delivery.bars if delivery.members is None else delivery.bars.take(delivery.members == place)
    return bars.take(np.flatnonzero(bars.time_ns + member.interval_ns > since_ns))
