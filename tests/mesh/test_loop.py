"""The core loop through real processes: undisturbed, with each of them killed once, and with each away for a while."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from examples.ema_cross import EmaCross
from examples.ema_trend import EmaTrend
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.cli.local.nats_server import NATS
from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.config.settings import SERVICES
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.sdk import Runner
from qmtl.sdk.mesh.client import Client, Gateway, open_client
from qmtl.sdk.mesh.history import History
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.sdk.mesh.submission.result import SubmitResult
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.mesh.gateway_client import GatewayClient
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually

WORLD, PRESET = "loop", "demo.btc.15m"
CUT = datetime(2021, 12, 25, 13, 30, tzinfo=UTC)
POLICY = """
data_currency: {max_lag: 1d, min_history: 30d}
selection: {gates: {and: ["n_trades >= 1"]}, score: "sharpe", topk: {total: 4}}
"""
SEED = 20211225
NORMAL, PARTIAL, MINIMAL = (
    gatewaystatuspb.DEGRADATION_LEVEL_NORMAL,
    gatewaystatuspb.DEGRADATION_LEVEL_PARTIAL,
    gatewaystatuspb.DEGRADATION_LEVEL_MINIMAL,
)
LEVELS_WITHOUT = {
    "worldservice": MINIMAL, "dagmanager": PARTIAL, "brokerage": PARTIAL, "seamless": PARTIAL, "controlbus": PARTIAL,
}  # fmt: skip


@pytest.fixture
async def own_mesh(tmp_path: Path) -> AsyncIterator[Mesh]:
    """A mesh that may be broken."""
    async with Mesh(laid_plan(tmp_path / "home")) as mesh:
        yield mesh


async def prepare(client: Client) -> None:
    await client.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id=WORLD, data_presets=[PRESET]))
    put = policyservicepb.PutPolicyRequest(world_id=WORLD, document=POLICY, make_default=True)
    await client.policies.PutPolicy(put)


async def activate(client: Client, strategy_id: str) -> activationpb.ActivationEnvelope:
    change = activationpb.ActivationChange(
        strategy_id=strategy_id, side=commonpb.SIDE_LONG, active=True, weight="1.0", stage=bindingpb.STAGE_PAPER
    )
    request = activationservicepb.SetActivationRequest(world_id=WORLD, changes=[change])
    return (await client.activation.SetActivation(request)).activation


async def kill_each_once(mesh: Mesh, paper: asyncio.Task[SessionResult]) -> list[str]:
    """SIGKILL every process in a seeded order, each once the one before answers again; those killed while it ran."""
    names = [*SERVICES, NATS]
    random.Random(SEED).shuffle(names)
    during = []
    for name in names:
        pid = mesh.kill(name, signal.SIGKILL)
        if not paper.done():
            during.append(name)
        await mesh.ready(name, other_than=pid, timeout_s=60)
    return during


async def check_books(client: Client, paper: SessionResult) -> None:
    """Brokerage's own records agree with each other and with what the runner rebuilt from the fills."""
    assert paper.books_agree
    account = paper.account.account
    fills = (await client.orders.ListFills(orderservicepb.ListFillsRequest(account=account))).fills
    assert [fill.account_fill_number for fill in fills] == list(range(1, len(fills) + 1))
    assert max(Counter(fill.trade_id for fill in fills).values()) == 1
    orders = (await client.orders.ListOrders(orderservicepb.ListOrdersRequest(account=account))).statuses
    assert max(Counter(status.order.client_order_id for status in orders).values()) == 1
    filled = [status for status in orders if status.state == orderpb.ORDER_STATE_FILLED]
    assert {fill.client_order_id for fill in fills} == {status.order.client_order_id for status in filled}
    for status in filled:
        assert status.cumulative_quantity == status.working_quantity
    assert len(filled) >= 2


async def submit(strategy: EmaCross | EmaTrend, gateway: Gateway) -> SubmitResult:
    return await Runner.submit_async(strategy, world=WORLD, history=History(end=CUT), gateway=gateway)


@pytest.mark.timeout(240)
async def test_loop_completes_undisturbed_and_shares_nodes(own_mesh: Mesh) -> None:
    gateway = Gateway(address=own_mesh.address("gateway"), home=own_mesh.home)
    async with open_client(gateway) as client:
        await prepare(client)
        cross = await submit(EmaCross(), gateway)
        trend = await submit(EmaTrend(), gateway)
        assert cross.nodes_reused == 0
        assert trend.reused_names == ("BTC-USD", "ema_192")
        again = await submit(EmaCross(), gateway)
        assert again.attached
        assert again.strategy_id == cross.strategy_id
        assert again.replay.equity == cross.replay.equity
        activation = await activate(client, cross.strategy_id)
        assert activation.effective_mode == commonpb.EFFECTIVE_MODE_PAPER
        paper = await Runner.run_async(EmaCross(), world=WORLD, gateway=gateway)
        await check_books(client, paper)


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_loop_completes_although_every_process_is_killed_once(own_mesh: Mesh) -> None:
    gateway = Gateway(address=own_mesh.address("gateway"), home=own_mesh.home, outage_s_max=120.0)
    async with open_client(gateway) as client:
        await prepare(client)
        cross = await submit(EmaCross(), gateway)
        activation = await activate(client, cross.strategy_id)
        slow = SessionTerms(bars_per_second=20.0)  # slow enough that each is killed while it runs
        paper_run = asyncio.create_task(Runner.run_async(EmaCross(), world=WORLD, terms=slow, gateway=gateway))
        killing = asyncio.create_task(kill_each_once(own_mesh, paper_run))
        trend = await submit(EmaTrend(), gateway)
        paper = await paper_run
        during = await killing
        assert len(during) >= len(SERVICES) - 2, f"only {during} were killed while it ran"
        assert trend.status == "COMPLETED"
        await check_books(client, paper)
        await check_nothing_was_lost_or_doubled(client, cross, trend, activation)


async def check_nothing_was_lost_or_doubled(
    client: Client, cross: SubmitResult, trend: SubmitResult, activation: activationpb.ActivationEnvelope
) -> None:
    """Acknowledged facts are all there, once."""
    listed = await client.strategies.ListStrategies(strategyservicepb.ListStrategiesRequest(world_id=WORLD))
    assert {s.strategy_id for s in listed.strategies} == {cross.strategy_id, trend.strategy_id}
    assert {s.state for s in listed.strategies} == {controlpb.STRATEGY_STATE_COMPLETED}
    for strategy_id in (cross.strategy_id, trend.strategy_id):
        request = strategyservicepb.GetStrategyHistoryRequest(strategy_id=strategy_id)
        entries = (await client.strategies.GetStrategyHistory(request)).entries
        assert [entry.strategy_revision for entry in entries] == list(range(1, len(entries) + 1))
        assert [entry.state for entry in entries].count(controlpb.STRATEGY_STATE_COMPLETED) == 1
    bindings = (await client.bindings.ListBindings(bindingservicepb.ListBindingsRequest(world_id=WORLD))).bindings
    assert sorted(binding.strategy_id for binding in bindings) == sorted((cross.strategy_id, trend.strategy_id))
    now = (await client.activation.GetActivation(activationservicepb.GetActivationRequest(world_id=WORLD))).activation
    assert (now.world_revision, now.state_hash, now.fence_epoch) == (
        activation.world_revision,
        activation.state_hash,
        activation.fence_epoch,
    )


@pytest.mark.timeout(240)
async def test_a_peer_that_does_not_answer_is_told_and_ends_nobody(mesh: Mesh, client: GatewayClient) -> None:
    before = {one.name: one.pid for one in mesh.running()}
    await eventually(lambda: seen(client, "", NORMAL), 60)
    for name, level in LEVELS_WITHOUT.items():
        mesh.kill(name, signal.SIGSTOP)
        try:
            await eventually(lambda name=name, level=level: seen(client, name, level), 30)  # type: ignore[misc]  # default binds the loop's value
        finally:
            mesh.kill(name, signal.SIGCONT)
        await eventually(lambda: seen(client, "", NORMAL), 60)
    assert {one.name: one.pid for one in mesh.running()} == before


async def seen(client: GatewayClient, away: str, level: gatewaystatuspb.DegradationLevel) -> bool:
    """Whether the level is that, and exactly the peer `away` is named as one that cannot be reached."""
    status = await client.status.GetStatus(gatewaystatuspb.GetStatusRequest())
    needs = status.status.dependencies
    named = [need.name for need in needs if need.state == commonpb.DEPENDENCY_STATE_UNREACHABLE]
    return status.level == level and named == ([away] if away else [])
