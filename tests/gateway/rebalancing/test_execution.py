"""A paper account rebalanced through the gateway: real services, real bars, one run after the other."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import QmtlError
from qmtl.core.roles import Role
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.gateway.v1 import rebalancing_service_pb2 as rebalancingservicepb
from qmtl.gateway.v1 import rebalancing_service_pb2_grpc as rebalancingrpc
from qmtl.rpc.auth.tokens import mint_user_token
from qmtl.rpc.client.streams import scoped
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from qmtl.world.v1 import allocation_service_pb2_grpc as allocationrpc
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from tests.gateway.harness import GatewayHarness
from tests.mesh.trading_mesh import RESTING, TradingWorld
from tests.support.waiting import eventually

MARKET = {"side": "ORDER_SIDE_BUY", "type": "ORDER_TYPE_MARKET", "quantity": "1"}
COMPLETED, PARTIAL = rebalancepb.REBALANCE_STATE_COMPLETED, rebalancepb.REBALANCE_STATE_PARTIAL
CANCELED = rebalancepb.REBALANCE_STATE_CANCELED


class Desk:
    """One trading world whose account is planned, applied and executed."""

    def __init__(self, harness: GatewayHarness, trading: TradingWorld) -> None:
        self.harness = harness
        self.trading = trading
        self.token = mint_user_token(harness.home, Role.OWNER, "ann", None)

    async def allocations(self) -> allocationrpc.AllocationServiceAsyncStub:
        return allocationrpc.AllocationServiceStub(await self.harness.channel("gateway", self.token))

    async def rebalancing(self) -> rebalancingrpc.RebalancingServiceAsyncStub:
        return rebalancingrpc.RebalancingServiceStub(await self.harness.channel("gateway", self.token))

    def scaled(self, factor: str, *, slices: int = 1, horizon_s: float = 0.0) -> rebalancepb.RebalanceRequest:
        world = allocationpb.WorldShare(world_id=self.trading.world, share=factor)
        request = rebalancepb.RebalanceRequest(
            account=self.trading.world,
            explicit=rebalancepb.ExplicitScales(worlds=[world]),
            slippage_max_bps="1000",  # bars of a quarter of an hour come ten a second
        )
        if slices > 1:
            request.pace.slices = slices
            request.pace.horizon.FromMilliseconds(int(horizon_s * 1000))
        return request

    async def recorded(self, run_id: str, request: rebalancepb.RebalanceRequest) -> rebalancepb.RebalanceRun:
        stub = await self.allocations()
        plan = (await stub.PlanRebalance(allocationservicepb.PlanRebalanceRequest(rebalance=request))).plan
        apply = allocationservicepb.ApplyRebalanceRequest(
            rebalance=request, run_id=run_id, plan_hash=plan.plan_hash, reason="a test"
        )
        return (await stub.ApplyRebalance(apply)).run

    async def execute(self, run_id: str) -> rebalancepb.RebalanceRun:
        request = rebalancingservicepb.ExecuteRebalanceRequest(account=self.trading.world, run_id=run_id)
        return (await (await self.rebalancing()).ExecuteRebalance(request)).run

    async def ended(self, run_id: str) -> rebalancepb.RebalanceRun:
        """The run once it is closed."""
        request = allocationservicepb.WatchRebalanceRequest(account=self.trading.world, run_id=run_id)
        run = rebalancepb.RebalanceRun()
        with scoped((await self.allocations()).WatchRebalance(request, timeout=60)) as replies:
            async for reply in replies:
                run = reply.run
        return run

    async def run(self, run_id: str, at: str = "gateway") -> rebalancepb.RebalanceRun:
        request = allocationservicepb.GetRebalanceRequest(account=self.trading.world, run_id=run_id)
        channel = await self.harness.channel(at, self.token, "" if at == "gateway" else "gateway")
        return (await allocationrpc.AllocationServiceStub(channel).GetRebalance(request)).run

    async def held(self, strategy_id: str = "") -> Decimal:
        request = portfolioservicepb.GetPortfolioRequest(account=self.trading.world)
        found = (await self.trading.client.portfolios.GetPortfolio(request)).portfolio
        rows = [each for each in found.positions if strategy_id in ("", each.strategy_id)]
        return sum((Decimal(each.quantity) for each in rows), Decimal(0))

    async def orders(self, run_id: str) -> list[orderpb.OrderStatus]:
        """Orders of a run, by name."""
        request = orderservicepb.ListOrdersRequest(account=self.trading.world)
        found = (await self.trading.client.orders.ListOrders(request)).statuses
        ours = [each for each in found if each.order.client_order_id.startswith(f"rb-{run_id}-")]
        return sorted(ours, key=lambda each: each.order.client_order_id)


async def desk_of(harness: GatewayHarness) -> Desk:
    """A desk whose strategy holds 1 BTC, over bars that come quickly."""
    await harness.start("seamless")
    trading = TradingWorld({"gateway": await harness.client()})
    await trading.prepare(bars_per_second=10.0)
    await trading.priced()
    await trading.submit(trading.order("first", **MARKET))
    await trading.until_order("first", orderpb.ORDER_STATE_FILLED)
    return Desk(harness, trading)


async def reason_of(call: object) -> str:
    with pytest.raises(QmtlError) as refused:
        await call  # type: ignore[misc]  # an awaitable call
    return refused.value.reason


async def test_runs_of_an_account(harness: GatewayHarness) -> None:
    desk = await desk_of(harness)

    run = await desk.recorded("seen", desk.scaled("0.5"))
    assert [(leg.quantity, leg.rounded) for leg in run.plan.legs] == [("1", "-0.5")]
    assert await desk.held() == 1, "a recorded run trades nothing"
    run = await _completed(desk, "half", "0.5")
    assert run.executed_by == "ann"
    assert Decimal(run.progress[0].fees["USD"]) > 0
    assert await reason_of(desk.execute(run.run_id)) == "E_REBALANCE_STATE"
    await _completed(desk, "twice", "2")
    await _completed(desk, "netted", "0.5", netted=True)
    await _completed(desk, "back", "2", netted=True)
    await _hedged(desk)

    await _canceled_before_and_under_way(desk)
    for netted in (False, True):
        await _goes_on_after_a_restart(desk, "netted-again" if netted else "again", netted=netted)
    await _frozen_under_way(desk)
    await _ends_with_its_session(desk)


async def _hedged(desk: Desk) -> None:
    """A world of 1 BTC is raised by a hedge, and lowered again by what is left of it."""
    run = await _completed(desk, "hedge", "2", approach=rebalancepb.REBALANCE_APPROACH_OVERLAY)
    assert [(leg.strategy_id, leg.reduce_only) for leg in run.plan.legs] == [("@overlay", False)]
    assert await desk.held("@overlay") > 0
    run = await _completed(desk, "unhedge", "0.5", approach=rebalancepb.REBALANCE_APPROACH_HYBRID, netted=True)
    assert [(leg.strategy_id, leg.reduce_only) for leg in run.plan.legs] == [("@overlay", True)]
    assert [choice.way for choice in run.plan.choices] == [rebalancepb.REBALANCE_WAY_COST_UNKNOWN]
    assert [await desk.held(), await desk.held("@overlay")] == [Decimal(1), Decimal(0)], "the book stays throughout"
    theirs = desk.trading.order("theirs", **MARKET)
    theirs.strategy_id = "@overlay"
    assert (await desk.trading.submit(theirs)).status.denial == orderpb.DENIAL_GATE_INACTIVE


async def _completed(
    desk: Desk,
    name: str,
    factor: str,
    *,
    netted: bool = False,
    approach: rebalancepb.RebalanceApproach = rebalancepb.REBALANCE_APPROACH_SCALE,
) -> rebalancepb.RebalanceRun:
    """A run that fills to the step; one that met bars without a trade is followed by another, as a person would."""
    for number in range(5):
        run_id, before = f"{name}-{number}", await desk.held()
        request = desk.scaled(factor)
        request.approach = approach
        if approach != rebalancepb.REBALANCE_APPROACH_SCALE:
            request.proxies.add(world_id=desk.trading.world, symbol="BTC-USD")
            request.markets.add(symbol="BTC-USD", daily_vol="0.02", beta="1", correlation="1")
        if netted:
            request.execution = rebalancepb.REBALANCE_EXECUTION_NETTED
        await desk.recorded(run_id, request)
        await desk.execute(run_id)
        run = await desk.ended(run_id)
        assert await desk.held() == before + Decimal(run.progress[0].filled)
        if run.state == COMPLETED:
            assert run.progress[0].filled == run.plan.legs[0].rounded
            return run
        assert is_quiet(run), run.reasons
    raise AssertionError(run.reasons)


def is_quiet(run: rebalancepb.RebalanceRun) -> bool:
    """Whether a run only ended short because nothing traded in the bars of its orders."""
    return run.state == PARTIAL and all("NO_VOLUME: nothing traded in the bar" in reason for reason in run.reasons)


async def _canceled_before_and_under_way(desk: Desk) -> None:
    stub = await desk.rebalancing()
    for run_id in ("never", "stopped"):
        await desk.recorded(run_id, desk.scaled("0.5", slices=10, horizon_s=60.0))
    request = rebalancingservicepb.CancelRebalanceRequest(account=desk.trading.world, run_id="never")
    assert (await stub.CancelRebalance(request)).run.state == CANCELED
    await desk.execute("stopped")
    await eventually(lambda: is_filled(desk, "stopped"), 30.0)
    await desk.recorded("other", desk.scaled("0.4"))
    assert await reason_of(desk.execute("other")) in ("E_REBALANCE_RUNNING", "E_PLAN_STALE")
    request.run_id = "stopped"
    await stub.CancelRebalance(request)
    run = await desk.ended("stopped")
    assert run.state == CANCELED, run.reasons
    assert await desk.held() == 1 + Decimal(run.progress[0].filled)


async def _goes_on_after_a_restart(desk: Desk, run_id: str, *, netted: bool) -> None:
    before, request = await desk.held(), desk.scaled("0.5", slices=5, horizon_s=3.0)
    if netted:
        request.execution = rebalancepb.REBALANCE_EXECUTION_NETTED
    await desk.recorded(run_id, request)
    await desk.execute(run_id)
    await eventually(lambda: is_filled(desk, run_id), 30.0)
    await desk.harness.stop("dagmanager")  # which version trades is not known to the new gateway before it is back
    await desk.harness.stop("gateway")
    left = (await desk.run(run_id, at="worldservice")).revision
    await desk.harness.start_gateway("gateway")
    desk.trading.clients["gateway"] = await desk.harness.client()
    await eventually(lambda: _taken_up(desk, run_id, left), 30.0)
    await desk.harness.start("dagmanager")
    run = await desk.ended(run_id)
    assert run.state == COMPLETED or is_quiet(run), run.reasons
    orders = [each for each in await desk.orders(run_id) if each.order.world_id != "@netting"]
    assert await desk.held() == before + Decimal(run.progress[0].filled)
    assert sum(Decimal(each.cumulative_quantity) for each in orders) == abs(Decimal(run.progress[0].filled))
    assert len({each.order.client_order_id for each in orders}) == len(orders) > 1


async def _frozen_under_way(desk: Desk) -> None:
    await desk.recorded("cold", desk.scaled("0.5", slices=10, horizon_s=20.0))
    await desk.execute("cold")
    await eventually(lambda: is_filled(desk, "cold"), 30.0)
    change = activationpb.ActivationChange(
        strategy_id=desk.trading.strategy_id, side=commonpb.SIDE_LONG, active=True, freeze=True
    )
    request = activationservicepb.SetActivationRequest(world_id=desk.trading.world, changes=[change])
    await desk.trading.client.activation.SetActivation(request)
    run = await desk.ended("cold")
    assert run.state == PARTIAL
    assert any("FROZEN" in reason or "FENCED" in reason for reason in run.reasons)
    filled = await desk.held()
    assert await desk.held() == filled, "nothing resumes by itself"


async def _ends_with_its_session(desk: Desk) -> None:
    """A run under way ends by name, the next one is refused at once, and its plan says so."""
    change = activationpb.ActivationChange(
        strategy_id=desk.trading.strategy_id,
        side=commonpb.SIDE_LONG,
        active=True,
        freeze=False,
    )
    request = activationservicepb.SetActivationRequest(world_id=desk.trading.world, changes=[change])
    await desk.trading.client.activation.SetActivation(request)
    numbers = itertools.count()

    async def passes() -> bool:
        order = desk.trading.order(f"thawed-{next(numbers)}", **RESTING, time_in_force="TIME_IN_FORCE_IOC")
        return not (await desk.trading.submit(order)).status.denial

    await eventually(passes, 10.0)
    await desk.recorded("last", desk.scaled("0.5", slices=10, horizon_s=10.0))
    await desk.execute("last")
    await eventually(lambda: is_filled(desk, "last"), 30.0)
    close = datasessionservicepb.CloseDataSessionRequest(session_id=desk.trading.session_id)
    await desk.trading.client.data_sessions.CloseDataSession(close)
    run = await desk.ended("last")
    assert run.state == PARTIAL
    assert all("NO_BARS_LEFT" in reason for reason in run.reasons), list(run.reasons)
    late = await desk.recorded("late", desk.scaled("0.5"))
    assert [warning.partition(":")[0] for warning in late.plan.warnings] == ["COST_UNKNOWN", "NO_BARS_LEFT"]
    assert await reason_of(desk.execute("late")) == "E_NO_BARS_LEFT"


async def _taken_up(desk: Desk, run_id: str, revision: int) -> bool:
    """Whether an executor has reported since a revision."""
    return (await desk.run(run_id)).revision > revision


async def is_filled(desk: Desk, run_id: str) -> bool:
    """Whether something of a run is filled."""
    run = await desk.run(run_id)
    return any(Decimal(each.filled or "0") for each in run.progress)
