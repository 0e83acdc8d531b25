"""A strategy on paper over a universe of live feeds: through a kill of seamless it is the backtest over its bars.

The exchange makes a bar each third second: a second is as fast as bars come, and orders have time to reach the venue
before the next.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.tasks.ending import end, first_of
from qmtl.data.v1 import coverage_pb2 as coveragepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.sdk import FillEvent, Runner
from qmtl.sdk.mesh.client import Client, Gateway, open_client
from qmtl.sdk.mesh.recordings import read_recording
from qmtl.sdk.mesh.session.events import BarDone, SessionEvent
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from tests.cli.conftest import CliMesh, Invoke
from tests.exchange.core.exchange import now_ms
from tests.mesh.live.live_world import (
    EVERY_MS,
    PRESET,
    SYMBOLS,
    LiveMesh,
    Seconds,
    activated,
    assert_whole,
    ensured,
    universe_mesh,
)

pytestmark = pytest.mark.timeout(240)
COMING_MS, FOREVER_MS = 900_000, 2**50


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[LiveMesh]:
    async with universe_mesh(tmp_path, COMING_MS) as made:
        for tape in (made.market.tape, *made.market.others):
            tape.flat.append((0, FOREVER_MS))
        yield made


async def traded(live: LiveMesh, client: Client, gateway: Gateway, bars: int) -> SessionResult:
    """A paper session in which prices move for so many bars, twice, and seamless is killed in between.

    They stand still while the session is joined and taken up again: an order of the newest bar then may reach the venue
    after the next, as it may at any exchange.
    """
    tapes = (live.market.tape, *live.market.others)
    await activated(client, gateway)
    heard, played = asyncio.Event(), 0

    def hear(event: SessionEvent) -> None:
        nonlocal played
        if isinstance(event, BarDone):
            played += 1
            heard.set()

    async def pass_bars(count: int) -> None:
        """Wait for so many bars more."""
        until = played + count
        while played < until:
            heard.clear()
            await first_of(heard.wait(), asyncio.shield(run))
            assert not run.done(), run.exception()

    def change() -> None:
        """Let prices stand still, or move again, from the second bar from now on."""
        at_ms = now_ms() // EVERY_MS * EVERY_MS + 2 * EVERY_MS
        for tape in tapes:
            start_ms, end_ms = tape.flat[-1]
            tape.flat[-1:] = [(start_ms, at_ms)] if end_ms > at_ms else [(start_ms, end_ms), (at_ms, FOREVER_MS)]

    until = datetime.now(UTC) + timedelta(seconds=600)
    terms = SessionTerms(until=until)
    run = asyncio.create_task(Runner.run_async(Seconds(), world="seconds", terms=terms, gateway=gateway, on_event=hear))
    try:
        await pass_bars(2)
        change()
        await pass_bars(bars)
        change()
        await pass_bars(3)
        pid = live.mesh.kill("seamless", signal.SIGKILL)
        await asyncio.to_thread(live.mesh.wait_ready, "seamless", other_than=pid, timeout_s=60)
        await pass_bars(2)
        change()
        await pass_bars(bars)
        change()
        await pass_bars(3)
        session = (
            await client.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="seconds"))
        ).activation.sessions[0]
        closing = datasessionservicepb.CloseDataSessionRequest(session_id=session.session_id)
        await client.data_sessions.CloseDataSession(closing)
        return await run
    finally:
        await end(run)


def told(fill: FillEvent) -> tuple[object, ...]:
    return fill.symbol, fill.time_ns, fill.quantity, fill.price, fill.fee


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("bars", [4, 60])
async def test_a_paper_session_on_live_feeds_is_the_backtest_over_its_bars(live: LiveMesh, bars: int) -> None:
    gateway, now = live.gateway, datetime.now(UTC).replace(microsecond=0)
    await ensured(live, SYMBOLS, now)
    async with open_client(gateway) as client:
        paper = await traded(live, client, gateway, bars)
        assert paper.books_agree
        assert len(paper.bars) == 2
        assert_whole(live, paper.bars)

        known = datasessionservicepb.GetDataSessionRequest(session_id=paper.session.session_id)
        recordings = (await client.data_sessions.GetDataSession(known)).session.recordings
        sealed = {one.preset: one for one in recordings}
        prints = [sealed[preset].dataset_fingerprint for preset in SYMBOLS]
        recorded = await read_recording(gateway, "seconds", prints)
        assert recorded.session_id == paper.session.session_id
        kept = [
            bars.between(int(mine.open_ns[0]), int(mine.open_ns[-1]) + 1)
            for bars, mine in zip(recorded.bars, paper.bars, strict=True)
        ]
        assert [one.values.tobytes() for one in kept] == [one.values.tobytes() for one in paper.bars]

        until_ns = int(paper.bars[0].open_ns[-1]) + 1
        seen = replace(
            recorded, bars=tuple(one.between(None, until_ns) for one in recorded.bars), late_ns=paper.late_ns
        )
        local = seen.replay(Seconds())
        assert len(local.fills) >= 3
        assert [told(fill) for fill in paper.replay.fills] == [told(fill) for fill in local.fills]
        assert paper.replay.equity == local.equity
        assert paper.metrics == local.metrics

        context = commonpb.ComputeContext(execution_domain=commonpb.EXECUTION_DOMAIN_LIVE)
        fetch = dataservicepb.FetchRequest(dataset=PRESET, context=context)
        fetch.range.start.FromDatetime(now - timedelta(seconds=60))
        metadata = [part async for part in client.data.Fetch(fetch)][-1].metadata
        assert coveragepb.SPAN_SOURCE_LIVE in {span.source for span in metadata.spans}

    cli = CliMesh(live.mesh, Invoke(live.config), "", "", "")
    shown = json.loads(await asyncio.to_thread(cli.ask, "data", "play", *prints, "--world", "seconds", "--json"))
    assert sum(len(one["bars"]) for one in shown) == sum(len(one) for one in recorded.bars)
    start = now - timedelta(seconds=100)
    span = ("--start", start.isoformat(), "--end", (start + timedelta(seconds=60)).isoformat())
    done = json.loads(await asyncio.to_thread(cli.ask, "data", "ensure", PRESET, *span, "--json"))
    assert (done["bars_present"], done["done"]) == ("20", True)
    assert "20 bars" in await asyncio.to_thread(cli.ask, "data", "fetch", PRESET, *span)
