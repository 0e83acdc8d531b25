"""A strategy on paper over a universe of live feeds: through a kill of seamless it has each bar once.

The exchange makes a bar each third second: a second is as fast as bars come.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.sdk import Runner
from qmtl.sdk.mesh.client import Client, Gateway, open_client
from qmtl.sdk.mesh.recordings import read_recording
from qmtl.sdk.mesh.session.events import BarDone, SessionEvent
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.terms import SessionTerms
from tests.cli.conftest import CliMesh, Invoke
from tests.mesh.live.live_world import (
    ETHER,
    EVERY_MS,
    SYMBOLS,
    LiveMesh,
    Seconds,
    activated,
    assert_whole,
    ensured,
    universe_mesh,
)

pytestmark = pytest.mark.timeout(240)
COMING_MS = 600_000


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[LiveMesh]:
    async with universe_mesh(tmp_path, COMING_MS) as made:
        yield made


async def traded(live: LiveMesh, client: Client, gateway: Gateway, bars: int) -> SessionResult:
    """A paper session of so many bars; seamless is killed at the fourth."""
    session, under_way = await activated(client, gateway), asyncio.Event()

    def heard(event: SessionEvent) -> None:
        if isinstance(event, BarDone) and event.bars == 4:
            under_way.set()

    began = max(session.start.ToDatetime(UTC), datetime.now(UTC))
    terms = SessionTerms(until=began + timedelta(milliseconds=EVERY_MS * bars))
    run = asyncio.create_task(
        Runner.run_async(Seconds(), world="seconds", terms=terms, gateway=gateway, on_event=heard)
    )
    await asyncio.wait({run, asyncio.ensure_future(under_way.wait())}, return_when=asyncio.FIRST_COMPLETED)
    assert not run.done(), "it was over before anything was killed"
    pid = live.mesh.kill("seamless", signal.SIGKILL)
    await asyncio.to_thread(live.mesh.wait_ready, "seamless", other_than=pid, timeout_s=60)
    return await run


@pytest.mark.parametrize("bars", [11, pytest.param(120, marks=[pytest.mark.soak, pytest.mark.timeout(600)])])
async def test_a_session_on_live_feeds_has_each_bar_once_and_its_recording_the_same(live: LiveMesh, bars: int) -> None:
    gateway = live.gateway
    await ensured(live, SYMBOLS, datetime.now(UTC).replace(microsecond=0))
    async with open_client(gateway) as client:
        paper = await traded(live, client, gateway, bars)
        assert paper.books_agree
        assert len(paper.bars) == 2
        assert_whole(live, paper.bars)

        sealing = datasessionservicepb.SealRecordingRequest(session_id=paper.session.session_id)
        sealed = {one.preset: one for one in (await client.data_sessions.SealRecording(sealing)).recordings}
        prints = [sealed[preset].dataset_fingerprint for preset in SYMBOLS]
        recorded = await read_recording(gateway, "seconds", prints)
        assert recorded.session_id == paper.session.session_id
        kept = [
            bars.between(int(mine.open_ns[0]), int(mine.open_ns[-1]) + 1)
            for bars, mine in zip(recorded.bars, paper.bars, strict=True)
        ]
        assert [one.values.tobytes() for one in kept] == [one.values.tobytes() for one in paper.bars]

    cli = CliMesh(live.mesh, Invoke(live.config), "", "", "")
    shown = json.loads(await asyncio.to_thread(cli.ask, "data", "play", *prints, "--world", "seconds", "--json"))
    assert sum(len(one["bars"]) for one in shown) == sum(len(one) for one in recorded.bars)
    told = await asyncio.to_thread(cli.ask, "data", "play", *prints, "--world", "seconds")
    assert told.count(ETHER) == len(recorded.bars[1])
