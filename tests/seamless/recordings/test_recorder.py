"""What live sessions delivered is kept as it was delivered, and a backtest that names it is given the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from controlbus.bus import Bus, connected
from qmtl.calendars.spans import Span
from qmtl.core.modes import ExecutionDomain
from qmtl.sql.database import Database
from seamless.domain.bars import Bars, concatenated
from seamless.domain.playback import Delivery
from seamless.domain.session_requests import LENGTH_DEFAULT, SessionRequest
from seamless.domain.stored import Provenance
from seamless.live.store import LiveSession
from seamless.recordings.recorder import Recorder
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
    return await rig.live.open(rig.preset, SessionRequest(name, "w1", at(start), LENGTH_DEFAULT, 0.0, ()))


async def heard(rig: ExchangeRig, recorder: Recorder, session: LiveSession, start: int) -> Bars:
    """What a subscriber is given from a bar on until now."""
    deliveries = recorder.through(session, (session.preset,), rig.live.deliveries(session, at(start)))
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
    await recorder.record(
        "s", session.start_ns, (rig.preset.name,), Delivery(wrong, at(94), False)
    )  # told again: stays
    [(preset, sealed)] = await recorder.seal_live("s", final=False)
    assert (preset, sealed.rows, sealed.as_of_ns, sealed.span) == (rig.preset.name, 10, at(100), Span(at(90), at(100)))
    assert sealed.fingerprint == rig.inventory.digest_of(rig.preset, given)
    told = await rig.fetch(0, 200, ExecutionDomain.BACKTEST, fingerprint=sealed.fingerprint)
    assert (told.rows, told.flagged_rows, told.dataset_fingerprint) == (10, 0, sealed.fingerprint)
    live = await rig.fetch(90, 100, ExecutionDomain.LIVE)
    assert live.dataset_fingerprint != sealed.fingerprint, "storage has the correction"


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
