"""Two-phase apply through real processes: three gateways sending orders, one stopped, worldservice killed at a step.

What reached the paper venue is read from brokerage's own records: no order between the commit of the frozen fence and
its reopening, whatever a gateway believed meanwhile.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import QmtlError
from qmtl.world.v1 import apply_pb2 as applypb
from tests.mesh.gateway_client import GatewayClient, open_gateway_client
from tests.mesh.trading_mesh import COMPLETED, ENDED, FROZEN, TradingMesh, at_work
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually

GATEWAYS = ("gateway", "gateway-2", "gateway-3")
OPEN = fencepb.FENCE_STATE_OPEN


class WatchedTradingMesh(TradingMesh):
    """And what brokerage's fence did meanwhile."""

    def __init__(self, mesh: Mesh, clients: dict[str, GatewayClient]) -> None:
        super().__init__(mesh, clients)
        self.fences: dict[int, fencepb.Fence] = {}

    async def fence_watched(self) -> None:
        """Every fence brokerage has had, with the time of its commit."""
        while True:
            try:
                fence = await self.fence()
                self.fences.setdefault(fence.fence_epoch, fence)
            except QmtlError:
                pass
            await asyncio.sleep(0.01)

    async def reached_the_venue(self) -> list[orderpb.OrderStatus]:
        found: list[orderpb.OrderStatus] = []
        page = commonpb.PageRequest(page_size=1000)
        while True:
            reply = await self.client.orders.ListOrders(
                orderservicepb.ListOrdersRequest(account=self.world, world_id=self.world, page=page)
            )
            found += [status for status in reply.statuses if status.state != orderpb.ORDER_STATE_DENIED]
            if not reply.page.next_page_token:
                return found
            page = commonpb.PageRequest(page_size=1000, page_token=reply.page.next_page_token)

    async def check_the_freeze_held(self) -> None:
        """Orders created between a frozen fence's commit and the next open one's: none."""
        ordered = [self.fences[epoch] for epoch in sorted(self.fences)]
        shut = [(a, b) for a, b in itertools.pairwise(ordered) if a.state != OPEN]
        assert shut
        orders = await self.reached_the_venue()
        for frozen, after in shut:
            begin, end = frozen.updated_at.ToNanoseconds(), after.updated_at.ToNanoseconds()
            assert not [o for o in orders if begin < o.created_at.ToNanoseconds() < end]
        assert not [order for order in orders if self.fences.get(order.fence_epoch, ordered[0]).state != OPEN]


@pytest.fixture
async def trading(tmp_path: Path) -> AsyncIterator[WatchedTradingMesh]:
    async with AsyncExitStack() as stack:
        mesh = await stack.enter_async_context(Mesh(laid_plan(tmp_path / "home", replicas={"gateway": 3})))
        clients = {
            name: await stack.enter_async_context(open_gateway_client(mesh.address(name), mesh.home))
            for name in GATEWAYS
        }
        made = WatchedTradingMesh(mesh, clients)
        await made.prepare(bars_per_second=2.0)
        await stack.enter_async_context(at_work(*(made.orders_flow(name) for name in GATEWAYS), made.fence_watched()))
        await eventually(made.all_pass, 30.0)
        yield made


@pytest.mark.timeout(240)
async def test_no_order_passes_a_freeze_whoever_is_stopped_or_killed(trading: WatchedTradingMesh) -> None:
    await trading.apply("plain")
    assert (await trading.until("plain", *ENDED)).state == COMPLETED

    trading.mesh.kill("gateway-3", signal.SIGSTOP)
    await trading.apply("stopped")
    stopped = await trading.until("stopped", *ENDED)
    trading.mesh.kill("gateway-3", signal.SIGCONT)
    assert stopped.state == COMPLETED, stopped.message
    assert any("waived" in step.message for step in stopped.steps)

    trading.mesh.kill("gateway-2", signal.SIGSTOP)  # so that the freeze lasts until worldservice is killed in it
    await trading.apply("killed")
    await trading.until("killed", applypb.APPLY_STATE_FREEZING)
    pid = trading.mesh.kill("worldservice", signal.SIGKILL)
    await trading.mesh.ready("worldservice", other_than=pid)
    trading.mesh.kill("gateway-2", signal.SIGCONT)
    killed = await trading.until("killed", *ENDED)
    assert killed.state in (COMPLETED, FROZEN)
    assert killed.state == COMPLETED or "gateway" in killed.message

    if killed.state == COMPLETED:
        trading.passed.clear()
        await eventually(trading.all_pass, 30.0)
    await trading.check_the_freeze_held()
