"""Hedges at the local exchange through real processes: consent, one order each, what spot cannot do told by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.config.home import user_token_path
from qmtl.core.errors import PermissionDenied
from qmtl.core.roles import Role
from qmtl.gateway.v1 import rebalancing_service_pb2 as rebalancingservicepb
from qmtl.gateway.v1 import rebalancing_service_pb2_grpc as rebalancingrpc
from qmtl.rpc.auth.tokens import file_token
from qmtl.rpc.client.channel import MeshChannel, connect
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from qmtl.world.v1 import allocation_service_pb2_grpc as allocationrpc
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from tests.exchange.core.faults import Trouble
from tests.exchange.core.values import Status
from tests.mesh.live.live_world import MEANT
from tests.mesh.live.test_live import FILLED, WAIT_S, LiveTrading, live  # noqa: F401  # a fixture
from tests.support.waiting import eventually

pytestmark = [pytest.mark.soak, pytest.mark.timeout(240)]
OPEN = (rebalancepb.REBALANCE_STATE_RECORDED, rebalancepb.REBALANCE_STATE_EXECUTING)
COMPLETED, PARTIAL = rebalancepb.REBALANCE_STATE_COMPLETED, rebalancepb.REBALANCE_STATE_PARTIAL
SYMBOL = "BTC/USDT"


class Hedger:
    """Plans and runs of the world's hedge."""

    def __init__(self, trading: LiveTrading, channel: MeshChannel) -> None:
        self.live = trading
        self.rebalancing = rebalancingrpc.RebalancingServiceStub(channel)
        self.allocations: allocationrpc.AllocationServiceAsyncStub = allocationrpc.AllocationServiceStub(channel)

    async def recorded(
        self, run_id: str, factor: str, approach: rebalancepb.RebalanceApproach, slippage: str = "1000"
    ) -> rebalancepb.RebalanceRun:
        world, stub = self.live.world, self.allocations
        scales = rebalancepb.ExplicitScales(worlds=[allocationpb.WorldShare(world_id=world, share=factor)])
        request = rebalancepb.RebalanceRequest(
            account="acc", explicit=scales, approach=approach, slippage_max_bps=slippage,
            proxies=[rebalancepb.OverlayProxy(world_id=world, symbol=SYMBOL)],
            markets=[rebalancepb.SymbolMarket(symbol=SYMBOL, daily_vol="0.02", beta="0.5", correlation="0.9")],
        )  # fmt: skip
        plan = (await stub.PlanRebalance(allocationservicepb.PlanRebalanceRequest(rebalance=request))).plan
        apply = allocationservicepb.ApplyRebalanceRequest(
            rebalance=request, run_id=run_id, plan_hash=plan.plan_hash, reason="a test"
        )
        run = (await stub.ApplyRebalance(apply)).run
        mark = Decimal(run.plan.legs[0].mark_price)
        self.live.exchange.quote("BTCUSDT", f"{mark - 1:.2f}", f"{mark + 1:.2f}")
        return run

    async def execute(self, run_id: str, *, meant: bool = True) -> None:
        request = rebalancingservicepb.ExecuteRebalanceRequest(account="acc", run_id=run_id)
        await self.rebalancing.ExecuteRebalance(request, metadata=MEANT if meant else ())

    async def ended(self, run_id: str) -> rebalancepb.RebalanceRun:
        asked = allocationservicepb.GetRebalanceRequest(account="acc", run_id=run_id)
        found: list[rebalancepb.RebalanceRun] = []

        async def is_over() -> bool:
            found[:] = [(await self.allocations.GetRebalance(asked)).run]
            return found[0].state not in OPEN

        await eventually(is_over, 90.0)
        return found[0]

    async def held(self) -> Decimal:
        """What the hedge holds."""
        request = portfolioservicepb.GetPortfolioRequest(account="acc")
        found = (await self.live.client.portfolios.GetPortfolio(request)).portfolio
        return sum((Decimal(one.quantity) for one in found.positions if one.strategy_id == "@overlay"), Decimal(0))


@pytest.fixture
async def hedger(live: LiveTrading) -> AsyncIterator[Hedger]:  # noqa: F811  # the fixture
    live.exchange.quote("BTCUSDT", "96", "97")
    await live.submit("first", "98")
    await live.until("first", FILLED)
    token = file_token(user_token_path(live.mesh.home, Role.OWNER))
    async with connect(live.mesh.address("gateway"), user_token=token) as channel:
        yield Hedger(live, channel)


async def test_a_hedge_at_the_exchange(hedger: Hedger) -> None:
    there, overlay = hedger.live, rebalancepb.REBALANCE_APPROACH_OVERLAY
    run = await hedger.recorded("short", "0.4", overlay)
    assert [(leg.quantity, leg.rounded) for leg in run.plan.legs] == [("0", "-0.05994")]
    with pytest.raises(PermissionDenied, match="E_LIVE_GUARD"):
        await hedger.execute("short", meant=False)
    await hedger.execute("short")
    run = await hedger.ended("short")
    assert run.state == PARTIAL
    assert "SHORT_UNAVAILABLE" in run.reasons[0], list(run.reasons)
    assert there.sent() == [Status.FILLED], "spot sells nothing that the hedge does not hold"

    run = await hedger.recorded("up", "5", overlay)
    assert [(leg.strategy_id, leg.quantity, leg.rounded) for leg in run.plan.legs] == [("@overlay", "0", "0.3996")]
    taken = asyncio.Event()
    there.exchange.faults.witness = lambda *seen: taken.set() if seen == ("POST order", True) else None
    there.exchange.faults.plan("POST order", Trouble.SILENT_AFTER)
    await hedger.execute("up")
    await asyncio.wait_for(taken.wait(), WAIT_S)
    pid = there.mesh.kill("brokerage")
    await asyncio.to_thread(there.mesh.wait_ready, "brokerage", other_than=pid, timeout_s=WAIT_S)
    run = await hedger.ended("up")
    assert run.state == COMPLETED, run.reasons
    assert there.sent() == [Status.FILLED, Status.FILLED], "one order, with its answer lost and brokerage killed"
    assert await hedger.held() == Decimal("0.3992004"), "the exchange took its fee in bitcoin"

    run = await hedger.recorded("dear", "0.6", rebalancepb.REBALANCE_APPROACH_HYBRID)
    assert [(leg.strategy_id, leg.reduce_only) for leg in run.plan.legs] == [("@overlay", True)]
    assert run.plan.legs[0].rounded == "-0.17966", ".4 x (.0999 by a beta of .5, and the hedge itself)"
    await hedger.execute("dear")
    run = await hedger.ended("dear")
    assert run.state == COMPLETED, run.reasons
    assert await hedger.held() == Decimal("0.2195404")

    run = await hedger.recorded("missed", "0.5", overlay, slippage="1")
    mark = Decimal(run.plan.legs[0].mark_price)
    there.exchange.quote("BTCUSDT", f"{mark * Decimal('0.8'):.2f}", f"{mark * Decimal('0.81'):.2f}")
    await hedger.execute("missed")
    run = await hedger.ended("missed")
    assert run.state == PARTIAL
    assert "NOT_FILLED" in run.reasons[0]
    assert await hedger.held() == Decimal("0.2195404")

    run = await hedger.recorded("flat", "0.1", overlay)
    assert list(run.plan.legs[0].reasons) == [rebalancepb.LEG_REASON_HEDGE_AT_ZERO]
    await hedger.execute("flat")
    run = await hedger.ended("flat")
    assert run.state == COMPLETED, run.reasons
    assert await hedger.held() == Decimal("0.0000004"), "less than a lot is left of it, and it is not short"
