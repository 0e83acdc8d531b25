"""Worlds on the bars of the local exchange: one that may be LIVE, with an approved strategy, and one on a universe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from qmtl.cli.local.layout import free_plan
from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.config.home import user_token_path
from qmtl.core.roles import Role
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.data.v1 import coverage_service_pb2_grpc as coveragerpc
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.rpc.auth.tokens import file_token
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.client.channel import connect
from qmtl.rpc.client.streams import scoped
from qmtl.sdk import Bars, Runner, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.mesh.client import Client, Gateway
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import session_pb2 as sessionpb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.exchange.binance.client import ETH
from tests.exchange.core.exchange import now_ms
from tests.exchange.market.client import Market, market
from tests.mesh.gateway_client import GatewayClient, new_world
from tests.mesh.trading_mesh import COMPLETED, ENDED, stamp
from tests.support.waiting import eventually

PRESET = "ohlcv.local.1s"
STRATEGY = "s"
MAX_LAG_S = 5.0
APPLY_S = 60.0
POLICY = f"""
data_currency: {{max_lag: {MAX_LAG_S:.0f}s}}
selection: {{gates: {{and: ["n_bars >= 1"]}}, score: "double(n_bars)"}}
"""
LIVE = commonpb.EFFECTIVE_MODE_LIVE
MEANT = (("x-allow-live", "true"),)

UNIVERSE, ETHER = "live.both", "ohlcv.local.eth"
SYMBOLS = {PRESET: "BTC/USDT", ETHER: "ETH/USDT"}
EVERY_MS, PAST_MS = 3_000, 120_000
UNIVERSE_SETTINGS = f"""
[seamless.universes.both]
presets = ["{PRESET}", "{ETHER}"]
[brokerage.instruments."ETH/USDT"]
base = "ETH"
quote = "USDT"
tick = "0.01"
lot = "0.0001"
"""
UNIVERSE_POLICY = """
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
    """A mesh, the exchange that it follows, and its settings."""

    mesh: Mesh
    market: Market
    config: Path

    @property
    def gateway(self) -> Gateway:
        return Gateway(address=self.mesh.address("gateway"), home=self.mesh.home, outage_s_max=60.0)


@asynccontextmanager
async def universe_mesh(folder: Path, coming_ms: int) -> AsyncIterator[LiveMesh]:
    """A mesh that follows bitcoin and ether, of which the exchange makes a bar each third second."""
    first_ms = now_ms() // EVERY_MS * EVERY_MS - PAST_MS
    async with market(first_ms=first_ms, interval_ms=1_000, others=[(ETH, 1_000)]) as there:
        for tape in (there.tape, *there.others):
            for start_ms in range(first_ms, first_ms + PAST_MS + coming_ms, EVERY_MS):
                tape.hole(start_ms + 1_000, start_ms + EVERY_MS)
        config = folder / "qmtl.toml"
        more = ', eth = {symbol = "ETH/USDT", interval = "1s"}'
        config.write_text(followed(there.address, more=more) + UNIVERSE_SETTINGS)
        async with running(Mesh(free_plan(folder / "home", config))) as mesh:
            yield LiveMesh(mesh, there, config)


async def ensured(live: LiveMesh, presets: Iterable[str], now: datetime) -> None:
    """The minute before now of presets, fetched and sealed."""
    token = file_token(user_token_path(live.mesh.home, Role.OWNER))
    async with connect(live.mesh.address("gateway"), user_token=token) as channel:
        for preset in presets:
            asked = coverageservicepb.EnsureCoverageRequest(dataset=preset)
            asked.range.start.FromDatetime(now - timedelta(seconds=60))
            asked.range.end.FromDatetime(now)
            done = [one async for one in coveragerpc.CoverageServiceStub(channel).EnsureCoverage(asked)][-1]
            assert (done.done, list(done.failures)) == (True, [])
            assert done.artifact_fingerprint


async def activated(client: Client, gateway: Gateway) -> sessionpb.Session:
    """A world on the universe, in which the strategy may trade on paper; the session that opens."""
    world = worldservicepb.CreateWorldRequest(world_id="seconds", data_presets=[UNIVERSE])
    await client.worlds.CreateWorld(world)
    put = policyservicepb.PutPolicyRequest(world_id="seconds", document=UNIVERSE_POLICY, make_default=True)
    await client.policies.PutPolicy(put)
    known = await Runner.submit_async(Seconds(), world="seconds", gateway=gateway)
    assert [bars.symbol for bars in known.bars] == ["BTC/USDT", "ETH/USDT"]
    change = activationpb.ActivationChange(
        strategy_id=known.strategy_id, side=commonpb.SIDE_LONG, active=True, weight="1.0", stage=bindingpb.STAGE_PAPER
    )
    changed = activationservicepb.SetActivationRequest(world_id="seconds", changes=[change])
    return (await client.activation.SetActivation(changed)).activation.sessions[0]


def assert_whole(live: LiveMesh, played: Iterable[Bars]) -> None:
    """Each bar once, as the exchange made it."""
    for bars, tape in zip(played, (live.market.tape, *live.market.others), strict=True):
        assert set((bars.open_ns[1:] - bars.open_ns[:-1]).tolist()) == {EVERY_MS * 10**6}
        truth = tape.truth(int(bars.open_ns[0]) // 10**6, int(bars.open_ns[-1]) // 10**6 + 1_000)
        assert bars.values[:, 3].tolist() == [float(one.close) for one in truth]


def followed(address: str, follow: str = "poll", more: str = "") -> str:
    """Settings of a seamless that follows seconds of bitcoin at the local exchange, and what more is to be followed."""
    return (
        f'[seamless.exchanges.local]\nexchange = "binance"\naddress = "{address}"\nhistory = 60\nfollow = "{follow}"\n'
        f'feeds = {{1s = {{symbol = "BTC/USDT", interval = "1s"}}{more}}}\n'
        '[brokerage.instruments."BTC/USDT"]\nbase = "BTC"\nquote = "USDT"\ntick = "0.01"\nlot = "0.0001"\n'
    )


@asynccontextmanager
async def running(mesh: Mesh) -> AsyncIterator[Mesh]:
    """A mesh that runs beside the exchange of this loop."""
    await asyncio.to_thread(mesh.__enter__)
    try:
        yield mesh
    finally:
        await asyncio.to_thread(mesh.__exit__, None, None, None)


async def approved_world(client: GatewayClient) -> str:
    """A world on the live preset that may go live, with a strategy that passed and is approved."""
    world = await new_world(client, PRESET)
    put = policyservicepb.PutPolicyRequest(world_id=world, document=POLICY, make_default=True)
    await client.policies.PutPolicy(put)
    allowed = worldservicepb.UpdateWorldRequest(world_id=world, allow_live=True, update_mask={"paths": ["allow_live"]})
    await client.worlds.UpdateWorld(allowed, metadata=MEANT)
    await client.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id=world, strategy_id=STRATEGY))
    await _evaluated(client, world)
    approval = bindingservicepb.ApproveLiveRequest(world_id=world, strategy_id=STRATEGY)
    await client.bindings.ApproveLive(approval, metadata=MEANT)
    return world


async def _evaluated(client: GatewayClient, world: str) -> None:
    """Evidence of the strategy: a list without orders, replayed over seconds of the preset that are sealed for it."""
    now = datetime.now(UTC)
    span = commonpb.TimeRange(start=stamp(now - timedelta(seconds=20)), end=stamp(now))
    sealing = coverageservicepb.EnsureCoverageRequest(dataset=PRESET, range=span)
    assert [reply async for reply in client.coverage.EnsureCoverage(sealing)][-1].done
    with scoped(client.data.Fetch(dataservicepb.FetchRequest(dataset=PRESET))) as parts:
        prints = [part.metadata.artifact_fingerprint async for part in parts if part.HasField("metadata")]
    listed = evaluationpb.OrderList(
        world_id=world, strategy_id=STRATEGY, dataset_fingerprints=prints[-1:], base_currency="USDT"
    )
    put = await client.evaluation.PutOrderList(Chunked(evaluationservicepb.PutOrderListRequest, listed, [world]))
    request = evaluationservicepb.EvaluateRequest(
        world_id=world, strategy_id=STRATEGY, run_id="run-1", stage=bindingpb.STAGE_BACKTEST, order_list=put.order_list
    )
    run = (await client.evaluation.Evaluate(request)).run
    while run.evidence_state == evaluationpb.EVIDENCE_STATE_PENDING:  # asked again it waits again for the replay
        run = (await client.evaluation.Evaluate(request)).run
    assert run.evidence_state == evaluationpb.EVIDENCE_STATE_REPLAYED, run


async def raised(client: GatewayClient, world: str, strategy_id: str = STRATEGY) -> activationpb.ActivationEnvelope:
    """Let the strategy trade on paper; the activation that holds then."""
    change = activationpb.ActivationChange(
        strategy_id=strategy_id, side=commonpb.SIDE_LONG, active=True, weight="1.0", stage=bindingpb.STAGE_PAPER
    )
    request = activationservicepb.SetActivationRequest(world_id=world, changes=[change])
    return (await client.activation.SetActivation(request, metadata=MEANT)).activation


async def applied(client: GatewayClient, world: str, strategy_id: str = STRATEGY) -> None:
    """Let the strategy trade live: only an apply raises it there."""
    target = applypb.ApplyTarget(
        strategy_id=strategy_id, side=commonpb.SIDE_LONG, weight="1.0", stage=bindingpb.STAGE_LIVE
    )
    targets = applypb.ApplyTargets(targets=[target])
    request = applyservicepb.ApplyRequest(world_id=world, run_id="live", targets=targets)
    await client.applies.Apply(request, metadata=MEANT)
    ended: list[applypb.ApplyRun] = []

    async def is_over() -> bool:
        asked = applyservicepb.GetApplyRunRequest(world_id=world, run_id="live")
        ended[:] = [(await client.applies.GetApplyRun(asked)).run]
        return ended[0].state in ENDED

    await eventually(is_over, APPLY_S)
    assert ended[0].state == COMPLETED, ended[0]
