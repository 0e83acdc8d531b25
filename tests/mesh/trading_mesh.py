"""A mesh in which one strategy trades on paper: its orders through every gateway, applies, and what came of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import fence_service_pb2_grpc as fencerpc
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import QmtlError
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.rpc.auth.tokens import mint_service_token
from qmtl.rpc.client.channel import connect
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from tests.mesh.gateway_client import GatewayClient, in_chunks, new_world, source_node, submission
from tests.support.waiting import eventually

PRESET = "demo.btc.15m"
POLICY = """
data_currency: {max_lag: 1d}
selection: {gates: {and: ["sharpe >= 0.5"]}, score: "sharpe"}
evidence: claims
"""
NOW = datetime(2021, 12, 25, 13, 30, tzinfo=UTC)
SMALL = {"symbol": "BTC-USD", "quantity": "0.01", "time_in_force": "TIME_IN_FORCE_GTC"}
RESTING = {"side": "ORDER_SIDE_BUY", "type": "ORDER_TYPE_LIMIT", "limit_price": "20000"}
COMPLETED, FROZEN = applypb.APPLY_STATE_COMPLETED, applypb.APPLY_STATE_FROZEN
ENDED = (COMPLETED, FROZEN, applypb.APPLY_STATE_ROLLED_BACK)


@dataclass
class TradingWorld:
    """A world of a mesh whose gateways all send orders of one strategy; the account has the world's name."""

    clients: dict[str, GatewayClient]
    world: str = ""
    strategy_id: str = ""
    session_id: str = ""
    passed: dict[str, int] = field(default_factory=dict)

    @property
    def client(self) -> GatewayClient:
        return self.clients["gateway"]

    def order(self, name: str, **terms: Any) -> orderpb.Order:
        """An order on these terms; without any, a buying limit far below the market, which rests."""
        named = {"account": self.world, "world_id": self.world, "strategy_id": self.strategy_id}
        return orderpb.Order(**{**named, "client_order_id": name, **SMALL, **(terms or RESTING)})

    async def submit(self, order: orderpb.Order, gateway: str = "gateway") -> tradingservicepb.SubmitOrderResponse:
        return await self.clients[gateway].trading.SubmitOrder(tradingservicepb.SubmitOrderRequest(order=order))

    async def status(self, name: str) -> orderpb.OrderStatus:
        """An order as brokerage has it. Raises NotFound."""
        key = orderpb.OrderKey(
            account=self.world, world_id=self.world, strategy_id=self.strategy_id, client_order_id=name
        )
        return (await self.client.orders.GetOrder(orderservicepb.GetOrderRequest(key=key))).status

    async def until_order(self, name: str, *states: orderpb.OrderState) -> orderpb.OrderStatus:
        """The order, once it is in one of these states."""

        async def there() -> bool:
            try:
                return (await self.status(name)).state in states
            except QmtlError:  # brokerage is being restarted
                return False

        await eventually(there, 30.0)
        return await self.status(name)

    async def orders_flow(self, name: str) -> None:
        """Orders through one gateway, for ever; who cannot be reached is asked again."""
        for number in itertools.count():
            order = self.order(f"{name}-{number}", **RESTING, time_in_force="TIME_IN_FORCE_IOC")
            try:
                reply = await self.submit(order, name)
            except QmtlError:
                await asyncio.sleep(0.05)
                continue
            if reply.status.state != orderpb.ORDER_STATE_DENIED:
                self.passed[name] = self.passed.get(name, 0) + 1
            await asyncio.sleep(0.05)

    async def all_pass(self) -> bool:
        return len(self.passed) == len(self.clients)

    async def run(self, run_id: str) -> applypb.ApplyRun | None:
        request = applyservicepb.GetApplyRunRequest(world_id=self.world, run_id=run_id)
        try:
            return (await self.client.applies.GetApplyRun(request)).run
        except QmtlError:
            return None

    async def until(self, run_id: str, *states: applypb.ApplyState) -> applypb.ApplyRun:
        found: list[applypb.ApplyRun] = []

        async def there() -> bool:
            run = await self.run(run_id)
            found[:] = [] if run is None else [run]
            return run is not None and run.state in states

        await eventually(there, 60.0)
        return found[0]

    async def apply(self, run_id: str) -> None:
        target = applypb.ApplyTarget(
            strategy_id=self.strategy_id, side=commonpb.SIDE_LONG, weight="1.0", stage=bindingpb.STAGE_PAPER
        )
        await self.client.applies.Apply(
            applyservicepb.ApplyRequest(
                world_id=self.world, run_id=run_id, targets=applypb.ApplyTargets(targets=[target])
            )
        )

    async def prepare(
        self,
        *,
        bars_per_second: float = 0.0,
        followers: Sequence[str] = (),
        nodes: Sequence[dagpb.DagNode] = (),
    ) -> None:
        """A world in which one strategy trades on paper, over recorded bars that its followers let come."""
        self.world = await new_world(self.client)
        put = policyservicepb.PutPolicyRequest(world_id=self.world, document=POLICY, make_default=True)
        await self.client.policies.PutPolicy(put)
        reply = await self.client.strategies.SubmitStrategy(in_chunks(submission(self.world, nodes or [source_node()])))
        self.strategy_id = reply.strategy.strategy_id
        await eventually(self._is_bound, 20.0)
        await self._select()
        asked = activationservicepb.GetActivationRequest(world_id=self.world)
        (session,) = (await self.client.activation.GetActivation(asked)).activation.sessions
        self.session_id = session.session_id
        await self.client.data_sessions.OpenDataSession(
            datasessionservicepb.OpenDataSessionRequest(
                session_id=self.session_id,
                world_id=self.world,
                preset=PRESET,
                start_time=session.start,
                bars_per_second=bars_per_second,
                followers=followers,
            )
        )
        await self.client.accounts.OpenPaperAccount(
            accountservicepb.OpenPaperAccountRequest(
                account=self.world,
                world_id=self.world,
                data_preset=PRESET,
                starting_cash="100000000",
                data_session_id=self.session_id,
            )
        )

    async def priced(self) -> None:
        """Wait for the first price of the session: before it every order is denied."""
        numbers = itertools.count()

        async def passes() -> bool:
            order = self.order(f"priced-{next(numbers)}", **RESTING, time_in_force="TIME_IN_FORCE_IOC")
            return (await self.submit(order)).status.denial != orderpb.DENIAL_PRICE_STALE

        await eventually(passes, 30.0)

    async def _is_bound(self) -> bool:
        request = bindingservicepb.ListBindingsRequest(world_id=self.world)
        return bool((await self.client.bindings.ListBindings(request)).bindings)

    async def evaluate(self, run_id: str, sharpe: float) -> None:
        """Report a backtest."""
        await self.client.evaluation.Evaluate(
            evaluationservicepb.EvaluateRequest(
                world_id=self.world,
                strategy_id=self.strategy_id,
                run_id=run_id,
                stage=bindingpb.STAGE_BACKTEST,
                metrics=[evaluationpb.Metric(name="sharpe", value=sharpe)],
                dataset_fingerprint="blake3:test",
                coverage_ratio=1.0,
                data_start=stamp(NOW - timedelta(days=60)),
                data_end=stamp(NOW),
            )
        )

    async def _select(self) -> None:
        """Evidence that the policy selects the strategy by, and its first activation."""
        await self.evaluate("run-1", sharpe=1.0)
        change = activationpb.ActivationChange(
            strategy_id=self.strategy_id,
            side=commonpb.SIDE_LONG,
            active=True,
            weight="1.0",
            stage=bindingpb.STAGE_PAPER,
        )
        await self.client.activation.SetActivation(
            activationservicepb.SetActivationRequest(world_id=self.world, changes=[change])
        )


class TradingMesh(TradingWorld):
    """The same on a mesh of `qmtl up`, whose processes a test reaches."""

    def __init__(self, mesh: Mesh, clients: dict[str, GatewayClient]) -> None:
        super().__init__(clients)
        self.mesh = mesh

    async def fence(self) -> fencepb.Fence:
        """The world's fence, as brokerage tells services."""
        token = mint_service_token(self.mesh.home, "gateway")
        async with connect(self.mesh.address("brokerage"), service_token=lambda: token) as channel:
            request = fenceservicepb.GetFenceRequest(world_id=self.world)
            return (await fencerpc.FenceServiceStub(channel).GetFence(request)).fence

    async def until_fence(self, state: fencepb.FenceState) -> fencepb.Fence:
        """The fence, once brokerage has committed one of this state."""

        async def there() -> bool:
            return (await self.fence()).state == state

        await eventually(there, 30.0)
        return await self.fence()


def stamp(instant: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(instant)
    return message


@asynccontextmanager
async def at_work(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """What goes on beside a test, ended with it."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
