"""Records what live sessions deliver, before anybody has it, and seals it.

A run that trades live acts on bars as they were told first; the exchange may correct them later, and storage has the
correction. A recording has what was acted on: a backtest that names its fingerprint is given the same.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import numpy as np

from qmtl.calendars.spans import Span
from qmtl.core.errors import NotReady
from qmtl.sql.database import Database
from seamless.artifacts.inventory import Inventory
from seamless.domain.bars import Bars, no_bars
from seamless.domain.manifests import Manifest
from seamless.domain.sessions.playback import Delivery, Member, Replay
from seamless.live.store import LiveSession
from seamless.recordings import store
from seamless.recordings.store import Recorded

ReadPlayed = Callable[[Replay, Member, Span], Awaitable[Bars]]


class Recorder:
    """The recordings of the store."""

    def __init__(self, inventory: Inventory, db: Database) -> None:
        self._inventory = inventory
        self._db = db

    async def through(
        self, session: LiveSession, presets: tuple[str, ...], deliveries: AsyncGenerator[Delivery, None]
    ) -> AsyncGenerator[Delivery, None]:
        """A live session's deliveries, each recorded before it goes on; `presets` by the places of its bars.

        It ends with the session: what came before and was not delivered by then is delivered to nobody.
        """
        told_ns = session.start_ns
        async with aclosing(deliveries):
            async for delivery in deliveries:
                if not await self.record(session.session_id, session.start_ns, presets, delivery):
                    yield Delivery(no_bars(), told_ns, True)
                    return
                told_ns = max(told_ns, delivery.watermark_ns)
                yield delivery

    async def record(self, session_id: str, since_ns: int, presets: tuple[str, ...], delivery: Delivery) -> bool:
        """Keep the bars of a live session's delivery that open from its start on; `presets` by their places.

        False where the session is closed: they are not part of its recording, and so nobody's to act on.
        """
        parts = [(preset, _of_place(delivery, place, since_ns)) for place, preset in enumerate(presets)]
        some = [(preset, bars) for preset, bars in parts if len(bars)]
        return not some or await self._db.write(lambda conn: store.add_delivery(conn, session_id, some))

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
                made.append((member.preset, await self._inventory.seal_recording(preset, bars)))
        return made

    async def _seal(self, session_id: str, name: str, *, final: bool) -> None:
        preset = self._inventory.presets.serving(name)
        bars = await self._db.read(lambda conn: store.bars_of(conn, session_id, name))
        if not len(bars):  # another seal has finished it since
            return
        sealed = await self._inventory.seal_recording(preset, bars)
        done = Recorded(session_id, name, sealed.fingerprint, final)
        await self._db.write(lambda conn: store.keep_recording(conn, done))

    async def _manifest(self, recorded: Recorded) -> Manifest:
        found = await self._inventory.artifact(recorded.fingerprint)
        if found is None:
            raise NotReady("E_ARTIFACT_MISSING", f"recording {recorded.fingerprint} is gone")
        return found


def _of_place(delivery: Delivery, place: int, since_ns: int) -> Bars:
    bars = delivery.bars if delivery.members is None else delivery.bars.take(delivery.members == place)
    return bars.take(np.flatnonzero(bars.time_ns >= since_ns))
