"""Worlds that may be LIVE: a mesh on the bars of the local exchange, and a world there with an approved strategy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.client.streams import scoped
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
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


async def raised(client: GatewayClient, world: str) -> activationpb.ActivationEnvelope:
    """Let the strategy trade on paper; the activation that holds then."""
    change = activationpb.ActivationChange(
        strategy_id=STRATEGY, side=commonpb.SIDE_LONG, active=True, weight="1.0", stage=bindingpb.STAGE_PAPER
    )
    request = activationservicepb.SetActivationRequest(world_id=world, changes=[change])
    return (await client.activation.SetActivation(request, metadata=MEANT)).activation


async def applied(client: GatewayClient, world: str) -> None:
    """Let the strategy trade live: only an apply raises it there."""
    target = applypb.ApplyTarget(
        strategy_id=STRATEGY, side=commonpb.SIDE_LONG, weight="1.0", stage=bindingpb.STAGE_LIVE
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
