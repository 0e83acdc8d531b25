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
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.cli.plan import free_plan
from qmtl.cli.up import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import QmtlError
from qmtl.data.v1 import service_pb2 as dataservicepb
from qmtl.gateway.v1 import service_pb2 as gatewayservicepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import service_pb2 as worldservicepb
from qmtl.world.v1 import world_pb2 as worldpb
from tests.mesh.door import Door, new_world, open_door, source_node, submission
from tests.support.waiting import eventually

GATEWAYS = ("gateway", "gateway-2", "gateway-3")
ACCOUNT = "applied"
POLICY = """
data_currency: {max_lag: 1d}
selection: {gates: {and: ["sharpe >= 0.5"]}, score: "sharpe"}
"""
COMPLETED, FROZEN = worldpb.APPLY_STATE_COMPLETED, worldpb.APPLY_STATE_FROZEN
ENDED = (COMPLETED, FROZEN, worldpb.APPLY_STATE_ROLLED_BACK)
OPEN = brokerpb.FENCE_STATE_OPEN


@dataclass
class Estate:
    """A mesh whose gateways all send orders of one strategy, and what brokerage's fence did meanwhile."""

    mesh: Mesh
    doors: dict[str, Door]
    world: str = ""
    strategy_id: str = ""
    fences: dict[int, brokerpb.Fence] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)

    @property
    def door(self) -> Door:
        return self.doors["gateway"]

    async def orders_flow(self, name: str) -> None:
        """Resting orders through one gateway, for ever; who cannot be reached is asked again."""
        for number in itertools.count():
            order = brokerpb.Order(
                account=ACCOUNT, world_id=self.world, strategy_id=self.strategy_id, client_order_id=f"{name}-{number}",
                symbol="BTC-USD", side=brokerpb.ORDER_SIDE_BUY, type=brokerpb.ORDER_TYPE_LIMIT, limit_price="20000",
                time_in_force=brokerpb.TIME_IN_FORCE_IOC, quantity="0.01",
            )  # fmt: skip
            try:
                reply = await self.doors[name].gateway.SubmitOrder(gatewayservicepb.SubmitOrderRequest(order=order))
            except QmtlError:
                await asyncio.sleep(0.05)
                continue
            if reply.status.state != brokerpb.ORDER_STATE_DENIED:
                self.passed[name] = self.passed.get(name, 0) + 1
            await asyncio.sleep(0.05)

    async def fence_watched(self) -> None:
        """Every fence brokerage has had, with the time of its commit."""
        request = brokerservicepb.GetFenceRequest(world_id=self.world)
        while True:
            try:
                fence = (await self.door.broker.GetFence(request)).fence
                self.fences.setdefault(fence.epoch, fence)
            except QmtlError:
                pass
            await asyncio.sleep(0.01)

    async def all_pass(self) -> bool:
        return len(self.passed) == len(GATEWAYS)

    async def is_bound(self) -> bool:
        request = worldservicepb.ListBindingsRequest(world_id=self.world)
        return bool((await self.door.world.ListBindings(request)).bindings)

    async def run(self, run_id: str) -> worldpb.ApplyRun | None:
        request = worldservicepb.GetApplyRunRequest(world_id=self.world, run_id=run_id)
        try:
            return (await self.door.world.GetApplyRun(request)).run
        except QmtlError:
            return None

    async def until(self, run_id: str, *states: worldpb.ApplyState) -> worldpb.ApplyRun:
        found: list[worldpb.ApplyRun] = []

        async def there() -> bool:
            run = await self.run(run_id)
            found[:] = [] if run is None else [run]
            return run is not None and run.state in states

        await eventually(there, 60.0)
        return found[0]

    async def apply(self, run_id: str) -> None:
        target = worldpb.ApplyTarget(
            strategy_id=self.strategy_id, side=commonpb.SIDE_LONG, weight=1.0, stage=worldpb.STAGE_PAPER
        )
        await self.door.world.Apply(
            worldservicepb.ApplyRequest(
                world_id=self.world, run_id=run_id, targets=worldservicepb.ApplyTargets(targets=[target])
            )
        )

    async def reached_the_venue(self) -> list[brokerpb.OrderStatus]:
        found: list[brokerpb.OrderStatus] = []
        page = commonpb.PageRequest(page_size=1000)
        while True:
            reply = await self.door.broker.ListOrders(
                brokerservicepb.ListOrdersRequest(account=ACCOUNT, world_id=self.world, page=page)
            )
            found += [status for status in reply.statuses if status.state != brokerpb.ORDER_STATE_DENIED]
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
        assert not [order for order in orders if self.fences.get(order.epoch, ordered[0]).state != OPEN]


def stamp(instant: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(instant)
    return message


@pytest.fixture
async def estate(tmp_path: Path) -> AsyncIterator[Estate]:
    async with AsyncExitStack() as stack:
        mesh = await stack.enter_async_context(Mesh(free_plan(tmp_path / "home", replicas={"gateway": 3})))
        doors = {name: await stack.enter_async_context(open_door(mesh.address(name), mesh.home)) for name in GATEWAYS}
        made = Estate(mesh, doors)
        await prepare(made)
        tasks = [asyncio.create_task(made.orders_flow(name)) for name in GATEWAYS]
        tasks.append(asyncio.create_task(made.fence_watched()))
        stack.push_async_callback(cancelled, tasks)
        await eventually(made.all_pass, 30.0)
        yield made


async def cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def prepare(estate: Estate) -> None:
    """A world in which one strategy trades on paper."""
    door = estate.door
    estate.world = await new_world(door)
    put = worldservicepb.PutPolicyRequest(world_id=estate.world, document=POLICY, make_default=True)
    await door.world.PutPolicy(put)
    reply = await door.gateway.SubmitStrategy(submission(estate.world, [source_node()]))
    estate.strategy_id = reply.strategy.strategy_id
    now = datetime(2021, 12, 25, 13, 30, tzinfo=UTC)
    await eventually(estate.is_bound, 20.0)
    await door.world.Evaluate(
        worldservicepb.EvaluateRequest(
            world_id=estate.world,
            strategy_id=estate.strategy_id,
            run_id="run-1",
            stage=worldpb.STAGE_BACKTEST,
            metrics=[evaluationpb.Metric(name="sharpe", value=1.0)],
            dataset_fingerprint="blake3:test",
            coverage=1.0,
            data_start=stamp(now - timedelta(days=60)),
            data_end=stamp(now),
        )
    )
    change = worldservicepb.ActivationChange(
        strategy_id=estate.strategy_id, side=commonpb.SIDE_LONG, active=True, weight=1.0, stage=worldpb.STAGE_PAPER
    )
    await door.world.SetActivation(worldservicepb.SetActivationRequest(world_id=estate.world, changes=[change]))
    session = await door.world.GetSession(
        worldservicepb.GetSessionRequest(world_id=estate.world, execution_domain=commonpb.EXECUTION_DOMAIN_DRYRUN)
    )
    await door.data.OpenDataSession(
        dataservicepb.OpenDataSessionRequest(
            session_id=session.session.session_id,
            preset="demo.btc.15m",
            start=session.session.start,
            bars_per_second=2.0,
        )
    )
    await door.broker.OpenPaperAccount(
        brokerservicepb.OpenPaperAccountRequest(
            account=ACCOUNT,
            world_id=estate.world,
            data_preset="demo.btc.15m",
            starting_cash="100000000",
            data_session_id=session.session.session_id,
        )
    )


@pytest.mark.timeout(240)
async def test_no_order_passes_a_freeze_whoever_is_stopped_or_killed(estate: Estate) -> None:
    await estate.apply("plain")
    assert (await estate.until("plain", *ENDED)).state == COMPLETED

    estate.mesh.kill("gateway-3", signal.SIGSTOP)
    await estate.apply("stopped")
    stopped = await estate.until("stopped", *ENDED)
    estate.mesh.kill("gateway-3", signal.SIGCONT)
    assert stopped.state == COMPLETED, stopped.reason
    assert any("waived" in step.detail for step in stopped.steps)

    estate.mesh.kill("gateway-2", signal.SIGSTOP)  # so that the freeze lasts until worldservice is killed in it
    await estate.apply("killed")
    await estate.until("killed", worldpb.APPLY_STATE_FREEZING)
    pid = estate.mesh.kill("worldservice", signal.SIGKILL)
    await estate.mesh.ready("worldservice", other_than=pid)
    estate.mesh.kill("gateway-2", signal.SIGCONT)
    killed = await estate.until("killed", *ENDED)
    assert killed.state in (COMPLETED, FROZEN)
    assert killed.state == COMPLETED or "gateway" in killed.reason

    if killed.state == COMPLETED:
        estate.passed.clear()
        await eventually(estate.all_pass, 30.0)
    await estate.check_the_freeze_held()
