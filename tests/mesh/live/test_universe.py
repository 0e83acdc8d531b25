"""A strategy on paper over a universe of live feeds: through a kill of seamless it has each bar once.

The exchange makes a bar each third second: a second is as fast as bars come.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qmtl.cli.local.layout import free_plan
from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.config.home import user_token_path
from qmtl.core.roles import Role
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.data.v1 import coverage_service_pb2_grpc as coveragerpc
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.rpc.auth.tokens import file_token
from qmtl.rpc.client.channel import connect
from qmtl.sdk import Runner, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.mesh.client import Client, Gateway, open_client
from qmtl.sdk.mesh.recordings import read_recording
from qmtl.sdk.mesh.session.events import BarDone, SessionEvent
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import session_pb2 as sessionpb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.exchange.binance.client import ETH
from tests.exchange.core.exchange import now_ms
from tests.exchange.market.client import Market, market
from tests.mesh.live.live_world import PRESET, followed, running

pytestmark = pytest.mark.timeout(240)
NAME, ETHER = "live.both", "ohlcv.local.eth"
SYMBOLS = {PRESET: "BTC/USDT", ETHER: "ETH/USDT"}
EVERY_MS, PAST_MS, COMING_MS = 3_000, 120_000, 600_000
SETTINGS = f"""
[seamless.universes.both]
presets = ["{PRESET}", "{ETHER}"]
[brokerage.instruments."ETH/USDT"]
base = "ETH"
quote = "USDT"
tick = "0.01"
lot = "0.0001"
"""
POLICY = """
data_currency: {max_lag: 60s}
selection: {gates: {and: ["n_trades >= 0"]}, score: "double(n_trades)", topk: {total: 4}}
"""


class Seconds(Strategy):
    """Long of each symbol while its last bars rise."""

    name = "seconds"

    def setup(self) -> None:
        for symbol in SYMBOLS.values():
            price = StreamInput(symbol, interval="1s")
            rising = signals.trend(ta.ema(price, 2), ta.ema(price, 4))
            self.trade(signals.position_target(rising, long=0.3, short=0.0), price)


@dataclass
class LiveMesh:
    mesh: Mesh
    market: Market
    config: Path


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[LiveMesh]:
    first_ms = now_ms() // EVERY_MS * EVERY_MS - PAST_MS
    async with market(first_ms=first_ms, interval_ms=1_000, others=[(ETH, 1_000)]) as there:
        for tape in (there.tape, *there.others):
            for start_ms in range(first_ms, first_ms + PAST_MS + COMING_MS, EVERY_MS):
                tape.hole(start_ms + 1_000, start_ms + EVERY_MS)
        config = tmp_path / "qmtl.toml"
        config.write_text(followed(there.address, more=', eth = {symbol = "ETH/USDT", interval = "1s"}') + SETTINGS)
        async with running(Mesh(free_plan(tmp_path / "home", config))) as mesh:
            yield LiveMesh(mesh, there, config)


async def activated(client: Client, gateway: Gateway) -> sessionpb.Session:
    """A world on the universe, in which the strategy may trade on paper; the session that opens."""
    world = worldservicepb.CreateWorldRequest(world_id="seconds", data_presets=[NAME])
    await client.worlds.CreateWorld(world)
    put = policyservicepb.PutPolicyRequest(world_id="seconds", document=POLICY, make_default=True)
    await client.policies.PutPolicy(put)
    known = await Runner.submit_async(Seconds(), world="seconds", gateway=gateway)
    assert [bars.symbol for bars in known.bars] == ["BTC/USDT", "ETH/USDT"]
    change = activationpb.ActivationChange(
        strategy_id=known.strategy_id, side=commonpb.SIDE_LONG, active=True, weight="1.0", stage=bindingpb.STAGE_PAPER
    )
    changed = activationservicepb.SetActivationRequest(world_id="seconds", changes=[change])
    return (await client.activation.SetActivation(changed)).activation.sessions[0]


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
    address = live.mesh.address("gateway")
    gateway = Gateway(address=address, home=live.mesh.home, outage_s_max=60.0)
    now = datetime.now(UTC).replace(microsecond=0)
    token = file_token(user_token_path(live.mesh.home, Role.OWNER))
    async with open_client(gateway) as client, connect(address, user_token=token) as channel:
        coverage = coveragerpc.CoverageServiceStub(channel)
        for preset in SYMBOLS:
            asked = coverageservicepb.EnsureCoverageRequest(dataset=preset)
            asked.range.start.FromDatetime(now - timedelta(seconds=60))
            asked.range.end.FromDatetime(now)
            ensured = [one async for one in coverage.EnsureCoverage(asked)][-1]
            assert (ensured.done, list(ensured.failures)) == (True, [])
            assert ensured.artifact_fingerprint
        paper = await traded(live, client, gateway, bars)
        assert paper.books_agree
        assert len(paper.bars) == 2
        for played, tape in zip(paper.bars, (live.market.tape, *live.market.others), strict=True):
            assert set((played.open_ns[1:] - played.open_ns[:-1]).tolist()) == {EVERY_MS * 10**6}
            truth = tape.truth(int(played.open_ns[0]) // 10**6, int(played.open_ns[-1]) // 10**6 + 1_000)
            assert played.values[:, 3].tolist() == [float(one.close) for one in truth]

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
