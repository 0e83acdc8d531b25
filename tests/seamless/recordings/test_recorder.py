"""What live sessions delivered is kept as it was delivered, and a backtest that names it is given the same."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from controlbus.bus import Bus, connected
from qmtl.calendars.spans import Span
from qmtl.core.modes import ExecutionDomain
from qmtl.sql.database import Database
from seamless.domain.bars import Bars, concatenated
from seamless.domain.fingerprints import leaves
from seamless.domain.sessions.playback import Delivery
from seamless.domain.sessions.requests import LENGTH_DEFAULT, SessionRequest
from seamless.domain.stored import Provenance
from seamless.live.store import LiveSession
from seamless.presets.preset import Universe
from seamless.recordings.recorder import Recorder
from seamless.recordings.store import Recorded, add_delivery, keep_recording
from tests.seamless.fetch.exchange_rig import ExchangeRig, at, corrected, exchange_rig


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connected(nats_url, service="seamless") as ready:
        yield ready


@pytest.fixture
async def rig(bus: Bus, db: Database, tmp_path: Path) -> AsyncIterator[ExchangeRig]:
    """A feed that has begun at bar 100, with 20 bars of history."""
    async with exchange_rig(bus, db, tmp_path) as found:
        await found.feed.begin()
        yield found


async def opened(rig: ExchangeRig, name: str, start: int) -> LiveSession:
    universe = Universe(rig.preset.name, (rig.preset,))
    return await rig.live.open(universe, SessionRequest(name, "w1", at(start), LENGTH_DEFAULT, 0.0, ()))


async def heard(rig: ExchangeRig, recorder: Recorder, session: LiveSession, start: int) -> Bars:
    """What a subscriber is given from a bar on until now."""
    deliveries = recorder.through(session, session.members, rig.live.deliveries(session, at(start)))
    parts: list[Bars] = []
    async with aclosing(deliveries):
        async for delivery in deliveries:
            parts.append(delivery.bars)
            if delivery.watermark_ns >= at(100):
                break
    return concatenated(parts)


async def test_a_recording_has_what_was_acted_on_and_not_what_was_said_later(rig: ExchangeRig, db: Database) -> None:
    recorder, session = Recorder(rig.inventory, db), await opened(rig, "s", 90)
    given = (await heard(rig, recorder, session, 85)).within(Span(at(90), at(100)))
    wrong = corrected(await rig.bars(92, 94), 1.0)
    await rig.storage.write(rig.preset.dataset, wrong, Span(at(92), at(94)), Provenance("later"))
    await recorder.record("s", session.start_ns, session.members, Delivery(wrong, at(94), False))  # told again: stays
    [(preset, sealed)] = await recorder.seal_live("s", final=False)
    assert (preset, sealed.rows, sealed.as_of_ns, sealed.span) == (rig.preset.name, 10, at(100), Span(at(90), at(100)))
    assert sealed.fingerprint == rig.inventory.digest_of(rig.preset, leaves(str(rig.preset.dataset), given))
    told = await rig.fetch(0, 200, ExecutionDomain.BACKTEST, fingerprint=sealed.fingerprint)
    assert (told.rows, told.flagged_rows, told.dataset_fingerprint) == (10, 0, sealed.fingerprint)
    live = await rig.fetch(90, 100, ExecutionDomain.LIVE)
    assert live.dataset_fingerprint != sealed.fingerprint, "storage has the correction"


async def test_the_history_of_a_recording_that_is_played_is_what_is_known_now(rig: ExchangeRig, db: Database) -> None:
    """As of the recorded time it would lack what was said of it since; what was recorded stays as it was told."""
    recorder, session = Recorder(rig.inventory, db), await opened(rig, "s", 90)
    await heard(rig, recorder, session, 90)
    [(_, recorded)] = await recorder.seal_live("s", final=True)
    await rig.fill(80, 100)
    wrong = corrected(await rig.bars(85, 92), 1.0)
    await rig.storage.write(rig.preset.dataset, wrong, Span(at(85), at(92)), Provenance("later"))
    newest = await rig.inventory.artifact(await rig.fill(80, 100))
    assert newest is not None

    async def find(_: str) -> LiveSession:
        return session

    recording = await recorder.recording([recorded.fingerprint], "s", find)
    played = await rig.sessions.play_recording(recording, SessionRequest("r", "w1", None, LENGTH_DEFAULT, 0.0))
    assert (played.recorded, played.span) == ("s", Span(at(90), at(100)))
    told = await rig.fetch(80, 100, ExecutionDomain.DRYRUN, as_of=98, session="r")
    before = await rig.inventory.range_digest(newest, Span(at(80), at(90)), rig.preset)
    assert (told.rows, told.dataset_fingerprint) == (10, before), "nothing of the recording's own time"


async def test_what_is_sealed_at_the_end_gets_no_more(rig: ExchangeRig, db: Database) -> None:
    recorder, session = Recorder(rig.inventory, db), await opened(rig, "s", 90)
    assert await recorder.seal_live("s", final=False) == []
    await heard(rig, recorder, session, 95)
    [(_, half)] = await recorder.seal_live("s", final=False)
    await heard(rig, recorder, session, 90)  # a second subscriber is given the bars before
    last = await recorder.seal_live("s", final=True)
    assert (half.rows, [one.rows for _, one in last]) == (5, [10])
    other = await opened(rig, "t", 98)
    await heard(rig, recorder, other, 98)
    await heard(rig, recorder, session, 90)
    assert await recorder.seal_live("s", final=True) == await Recorder(rig.inventory, db).sealed("s") == last
    [(_, theirs)] = await recorder.seal_live("t", final=True)
    assert theirs.rows == 2
    kept = rig.inventory.archive.bars(last[0][1], Span(at(0), at(200)))
    assert np.array_equal(kept.close, (await rig.bars(90, 100)).close)


async def test_two_who_are_given_a_bar_at_once_are_both_given_it(rig: ExchangeRig, db: Database) -> None:
    recorder, session = Recorder(rig.inventory, db), await opened(rig, "s", 90)
    bars, preset = await rig.bars(90, 100), rig.preset.name
    kept, go = threading.Event(), threading.Event()

    def first(conn: Connection) -> None:
        add_delivery(conn, "s", [(preset, bars)], at(100))
        kept.set()
        go.wait(30)

    one = asyncio.create_task(db.write(first))
    await asyncio.to_thread(kept.wait, 30)
    two = asyncio.create_task(recorder.record("s", session.start_ns, session.members, Delivery(bars, at(100), False)))
    if db.dialect == "postgresql":  # an SQLite store has one writer at a time
        waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not await db.read(lambda conn: conn.scalar(waits)):
            pass
    go.set()
    await one
    assert await two
    [(_, sealed)] = await recorder.seal_live("s", final=False)
    assert sealed.rows == 10


async def test_nobody_is_given_a_bar_that_a_closed_sessions_recording_lacks(rig: ExchangeRig, db: Database) -> None:
    recorder, session = Recorder(rig.inventory, db), await opened(rig, "s", 90)

    async def bar_by_bar() -> AsyncGenerator[Delivery, None]:
        for bar in range(90, 100):
            yield Delivery(await rig.bars(bar, bar + 1), at(bar + 1), False)

    given: list[int] = []
    async with aclosing(recorder.through(session, session.members, bar_by_bar())) as deliveries:
        async for delivery in deliveries:
            given += delivery.bars.time_ns.tolist()
            if len(given) == 4:
                await rig.live.close("s")
    assert (delivery.last, delivery.watermark_ns, len(delivery.bars)) == (True, at(94), 0)
    [(_, sealed)] = await recorder.seal_live("s", final=True)
    assert (
        rig.inventory.archive.bars(sealed, sealed.span).time_ns.tolist() == given == [at(bar) for bar in range(90, 94)]
    )


async def test_who_sealed_less_meanwhile_does_not_undo_the_last_seal(rig: ExchangeRig, db: Database) -> None:
    recorder, session = Recorder(rig.inventory, db), await opened(rig, "s", 90)
    await heard(rig, recorder, session, 95)
    [(_, half)] = await recorder.seal_live("s", final=False)
    await heard(rig, recorder, session, 90)
    last = await recorder.seal_live("s", final=True)
    late = Recorded("s", rig.preset.name, half.fingerprint, final=False)
    await db.write(lambda conn: keep_recording(conn, late))
    assert await recorder.sealed("s") == last
