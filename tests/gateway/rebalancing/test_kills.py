"""A netted run whose gateway is killed with SIGKILL: real processes, two gateways, one rebalance after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.cli.local.supervisor import Mesh
from qmtl.core.roles import Role
from qmtl.gateway.v1 import rebalancing_service_pb2_grpc as rebalancingrpc
from qmtl.rpc.auth.tokens import mint_user_token
from qmtl.rpc.client.channel import MeshChannel, connect
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from qmtl.world.v1 import allocation_service_pb2_grpc as allocationrpc
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from tests.gateway.rebalancing.test_execution import COMPLETED, MARKET, Desk, is_filled, is_quiet
from tests.mesh.gateway_client import client_over
from tests.mesh.trading_mesh import TradingMesh
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually

NETTED = rebalancepb.REBALANCE_EXECUTION_NETTED
KILLED, OTHER = "gateway", "gateway-2"
pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]


class MeshDesk(Desk):
    """Runs are executed by the gateway that is killed, all else goes through the other one."""

    def __init__(self, trading: TradingMesh, killed: MeshChannel, other: MeshChannel) -> None:
        self.trading, self._killed, self._other = trading, killed, other

    async def allocations(self) -> allocationrpc.AllocationServiceAsyncStub:
        return allocationrpc.AllocationServiceStub(self._other)

    async def rebalancing(self) -> rebalancingrpc.RebalancingServiceAsyncStub:
        return rebalancingrpc.RebalancingServiceStub(self._killed)

    async def run(self, run_id: str, at: str = OTHER) -> rebalancepb.RebalanceRun:
        request = allocationservicepb.GetRebalanceRequest(account=self.trading.world, run_id=run_id)
        return (await (await self.allocations()).GetRebalance(request)).run


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with Mesh(laid_plan(tmp_path / "home", replicas={"gateway": 2})) as running:
        yield running


@pytest.fixture
async def desk(mesh: Mesh) -> AsyncIterator[MeshDesk]:
    """A strategy that holds 1 BTC over bars that come quickly enough."""
    token = mint_user_token(mesh.home, Role.OWNER, "ann", None)
    async with AsyncExitStack() as stack:
        killed, other = [
            await stack.enter_async_context(
                connect(mesh.address(name), user_token=lambda: token, default_timeout_s=30.0)
            )
            for name in (KILLED, OTHER)
        ]
        trading = TradingMesh(mesh, {"gateway": client_over(other)})
        await trading.prepare(bars_per_second=4.0)  # recorded ones, of four days: they last for a minute and a half
        await trading.priced()
        await trading.submit(trading.order("first", **MARKET))
        await trading.until_order("first", orderpb.ORDER_STATE_FILLED)
        yield MeshDesk(trading, killed, other)


async def test_a_netted_run_goes_on_when_its_gateway_is_killed(mesh: Mesh, desk: MeshDesk) -> None:
    """No order twice, no fill lost, one closed state: of a run that reduces and one that adds, after its first fill."""
    for number, factor in enumerate(("0.5", "2")):
        run_id, before = f"killed-{number}", await desk.held()
        request = desk.scaled(factor, slices=5, horizon_s=3.0)
        request.execution = NETTED
        await desk.recorded(run_id, request)
        await desk.execute(run_id)
        await eventually(lambda run_id=run_id: is_filled(desk, run_id), 30.0)  # type: ignore[misc]  # a bound default
        gone = mesh.kill(KILLED)
        run = await desk.ended(run_id)
        await asyncio.to_thread(mesh.wait_ready, KILLED, other_than=gone)
        assert run.state == COMPLETED or is_quiet(run), run.reasons
        filled = Decimal(run.progress[0].filled)
        assert await desk.held() == before + filled
        orders = await desk.orders(run_id)
        for ours in (True, False):
            kind = [each for each in orders if (each.order.world_id == "@netting") is ours]
            assert sum(Decimal(each.cumulative_quantity) for each in kind) == abs(filled), (
                "of the net, and of its share"
            )
            assert len({each.order.client_order_id for each in kind}) == len(kind) > 1
