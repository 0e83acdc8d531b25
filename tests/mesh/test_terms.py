"""A policy's terms and an operator's edges through real processes: from the world's word to what an order meets."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest

from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotReady, QmtlError
from qmtl.dag.v1 import hotfix_service_pb2 as hotfixservicepb
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_graph_pb2 as worldgraphpb
from qmtl.world.v1 import world_graph_service_pb2 as worldgraphservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.mesh.gateway_client import GatewayClient, child_node, source_node
from tests.mesh.trading_mesh import COMPLETED, POLICY, RESTING, TradingMesh
from tests.support.waiting import eventually

SOURCE = source_node()
AVERAGE = child_node("average", [SOURCE.node_id])
ASKED = itertools.count()
DENIED, ACCEPTED = orderpb.ORDER_STATE_DENIED, orderpb.ORDER_STATE_ACCEPTED


@pytest.fixture
async def trading(mesh: Mesh, client: GatewayClient) -> TradingMesh:
    made = TradingMesh(mesh, {"gateway": client})
    await made.prepare(nodes=[SOURCE, AVERAGE])
    numbers = itertools.count()

    async def priced() -> bool:
        """The venue has seen a bar: an order that rests until it is decided passes and leaves nothing."""
        return await passes(made, f"probe-{next(numbers)}", time_in_force="TIME_IN_FORCE_IOC")

    await eventually(priced)
    return made


async def outcome(trading: TradingMesh, name: str, **terms: str) -> tuple[orderpb.OrderState, orderpb.Denial]:
    status = (await trading.submit(trading.order(name, **{**RESTING, **terms}))).status
    return status.state, status.denial


async def set_policy(trading: TradingMesh, extra: str = "") -> None:
    put = policyservicepb.PutPolicyRequest(world_id=trading.world, document=POLICY + extra, make_default=True)
    await trading.client.policies.PutPolicy(put)


async def activate(trading: TradingMesh) -> None:
    change = activationpb.ActivationChange(
        strategy_id=trading.strategy_id, side=commonpb.SIDE_LONG, active=True, stage=bindingpb.STAGE_PAPER
    )
    request = activationservicepb.SetActivationRequest(world_id=trading.world, changes=[change])
    await trading.client.activation.SetActivation(request)


async def test_an_order_beyond_the_policys_limits_is_denied_until_the_policy_says_otherwise(
    trading: TradingMesh,
) -> None:
    """0.01 BTC at 20,000 is 200."""
    await set_policy(
        trading, "gating_policy: {risk_limits: {max_order_notional: '200', max_position_notional: {long: 900}}}"
    )
    fence = await trading.fence()
    assert (fence.limits.order_notional_max, fence.limits.long_notional_max) == ("200", "900")
    assert await outcome(trading, "small") == (ACCEPTED, orderpb.DENIAL_UNSPECIFIED)
    large = (await trading.submit(trading.order("large", **{**RESTING, "quantity": "0.011"}))).status
    assert (large.state, large.denial) == (DENIED, orderpb.DENIAL_NOTIONAL_ABOVE_LIMIT)
    assert large.message.startswith("WORLD_LIMIT: ")
    state, denial = await outcome(trading, "second")  # with the first it is 0.02 BTC at the market: above 900
    assert (state, denial) == (DENIED, orderpb.DENIAL_POSITION_ABOVE_LIMIT)
    await set_policy(trading)
    assert (await trading.fence()).fence_epoch > fence.fence_epoch
    assert await outcome(trading, "later", quantity="0.011") == (ACCEPTED, orderpb.DENIAL_UNSPECIFIED)


async def test_an_edge_that_is_switched_off_ends_trading_of_who_has_it(trading: TradingMesh) -> None:
    """The gateway told worldservice the graph when it bound the strategy."""
    assert await passes(trading, "before")
    edge = worldgraphpb.EdgeOverride(
        world_id=trading.world,
        from_node_id=SOURCE.node_id,
        to_node_id=AVERAGE.node_id,
        to_domain=commonpb.EXECUTION_DOMAIN_DRYRUN,
        message="the feed is broken",
    )
    await trading.client.world_graph.PutEdgeOverride(worldgraphservicepb.PutEdgeOverrideRequest(override=edge))
    assert (await trading.fence()).state == fencepb.FENCE_STATE_FROZEN
    assert not await passes(trading, "cut")
    reply = await trading.client.evaluation.ListReports(evaluationservicepb.ListReportsRequest(world_id=trading.world))
    assert "the feed is broken" in reply.reports[0].verdicts[1].explanation
    gone = worldgraphservicepb.DeleteEdgeOverrideRequest(
        world_id=trading.world,
        from_node_id=edge.from_node_id,
        to_node_id=edge.to_node_id,
        to_domain=edge.to_domain,
    )
    await trading.client.world_graph.DeleteEdgeOverride(gone)
    assert not await passes(trading, "still-cut")  # nothing rises by itself
    await activate(trading)
    assert await passes(trading, "after")


async def passes(trading: TradingMesh, name: str, **terms: str) -> bool:
    try:
        return (await outcome(trading, name, **terms))[0] != DENIED
    except QmtlError:  # refused at the gate
        return False


async def test_paper_takes_an_apply_where_the_policy_shuts_its_edges(trading: TradingMesh) -> None:
    await set_policy(trading, "gating_policy: {edges: {pre_promotion: {disable_edges_to: dryrun}}}")
    assert not await passes(trading, "unpromoted")
    with pytest.raises(NotReady) as refused:
        await activate(trading)
    assert refused.value.reason == "E_MODE_CEILING"
    await trading.apply("promotion")
    await trading.until("promotion", COMPLETED)
    assert await passes(trading, "promoted")
    (bound,) = (
        await trading.client.bindings.ListBindings(bindingservicepb.ListBindingsRequest(world_id=trading.world))
    ).bindings
    assert list(bound.opened_domains) == [commonpb.EXECUTION_DOMAIN_DRYRUN]


async def test_who_is_demoted_may_only_reduce_what_it_holds(mesh: Mesh, client: GatewayClient) -> None:
    trading = TradingMesh(mesh, {"gateway": client})
    await trading.prepare(bars_per_second=10.0)
    await set_policy(trading, "position_policy: {on_demote: drain}\n")
    numbers = itertools.count()
    await eventually(lambda: passes(trading, f"open-{next(numbers)}", **MARKET, side="ORDER_SIDE_BUY"))
    await eventually(lambda: holds(trading, "0.01"))
    await trading.evaluate("run-2", sharpe=0.1)  # below the policy's gate
    assert (await trading.fence()).state == fencepb.FENCE_STATE_DRAIN
    assert not await passes(trading, "more", **MARKET, side="ORDER_SIDE_BUY")
    assert not await passes(trading, "round", **{**MARKET, "quantity": "0.02"}, side="ORDER_SIDE_SELL")
    assert await passes(trading, "half", **{**MARKET, "quantity": "0.005"}, side="ORDER_SIDE_SELL")
    await eventually(lambda: holds(trading, "0.005"))
    await client.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(
            world_id=trading.world, circuit_breaker=True, update_mask={"paths": ["circuit_breaker"]}
        )
    )
    assert not await passes(trading, "rest", **{**MARKET, "quantity": "0.005"}, side="ORDER_SIDE_SELL")


async def test_a_symbol_goes_to_another_version_with_its_position_and_back(mesh: Mesh, client: GatewayClient) -> None:
    trading = TradingMesh(mesh, {"gateway": client})
    await trading.prepare(bars_per_second=10.0)
    await trading.priced()
    assert await passes(trading, "opens", **MARKET, side="ORDER_SIDE_BUY")
    await eventually(lambda: holds(trading, "0.01"))
    request = hotfixservicepb.RedoDiffRequest(
        request_id=trading.world, strategy_id=trading.strategy_id, version=1, hotfix_label="fix"
    )
    second = (await client.hotfixes.RedoDiff(request)).sentinel
    assert (second.version, second.traffic_weight) == (2, "1")
    await eventually(lambda: routed(trading, "to-second", 2))
    sale = {**MARKET, "side": "ORDER_SIDE_SELL", "strategy_version": 1, "quantity": "0.004"}
    refused = (await trading.submit(trading.order("plain", **sale))).status
    assert (refused.state, refused.denial) == (DENIED, orderpb.DENIAL_GATE_OTHER_CANARY_SHARE)
    assert (await trading.submit(trading.order("part", **sale, reduce_only=True))).status.denial == 0
    await eventually(lambda: holds(trading, "0.006"))
    assert (await trading.submit(trading.order("rest", **{**sale, "strategy_version": 2}))).status.denial == 0
    await eventually(lambda: holds(trading, "0.002"))
    for version, weight in ((2, "0"), (1, "1")):
        sentinel_id = f"{trading.strategy_id}@{version}"
        changed = sentinelservicepb.SetTrafficWeightRequest(sentinel_id=sentinel_id, traffic_weight=weight)
        await client.sentinels.SetTrafficWeight(changed)
    await eventually(lambda: routed(trading, "back", 1))
    sale |= {"quantity": "0.002"}
    assert (await trading.submit(trading.order("last", **sale))).status.denial == 0
    await eventually(lambda: holds(trading, "0"))


async def routed(trading: TradingMesh, name: str, version: int) -> bool:
    """Whether what may add passes for this version alone; nothing that is asked fills."""
    denials = []
    for one in (1, 2):
        terms = {**RESTING, "time_in_force": "TIME_IN_FORCE_IOC", "strategy_version": one}
        order = trading.order(f"{name}-{one}-{next(ASKED)}", **terms)
        denials.append((await trading.submit(order)).status.denial)
    return [denial == orderpb.DENIAL_GATE_OTHER_CANARY_SHARE for denial in denials] == [version != 1, version != 2]


@pytest.mark.soak
async def test_what_a_demoted_strategy_holds_is_closed_by_brokerage(mesh: Mesh, client: GatewayClient) -> None:
    trading = TradingMesh(mesh, {"gateway": client})
    await trading.prepare(bars_per_second=10.0)
    await set_policy(trading, "position_policy: {on_demote: flat, flat_slippage_bps: 200}\n")
    numbers = itertools.count()
    await eventually(lambda: passes(trading, f"open-{next(numbers)}", **MARKET, side="ORDER_SIDE_BUY"))
    await eventually(lambda: holds(trading, "0.01"))
    assert await passes(trading, "rests")
    await trading.evaluate("run-2", sharpe=0.1)  # below the policy's gate
    closing = activationservicepb.GetActivationRequest(world_id=trading.world)

    async def is_flat() -> bool:
        closings = (await client.activation.GetActivation(closing)).closings
        return [one.state for one in closings if one.side == commonpb.SIDE_LONG] == [activationpb.CLOSING_STATE_FLAT]

    await eventually(is_flat, 60.0)
    assert await holds(trading, "0") or await holds_nothing(trading)
    listed = await client.orders.ListOrders(
        orderservicepb.ListOrdersRequest(account=trading.world, world_id=trading.world)
    )
    ours = [one for one in listed.statuses if "@demotion" in one.order.tags]
    assert sum(Decimal(one.cumulative_quantity) for one in ours) == Decimal("0.01")
    assert all(one.order.reduce_only and one.order.side == orderpb.ORDER_SIDE_SELL for one in ours)
    (rested,) = [one for one in listed.statuses if one.order.client_order_id == "rests"]
    assert rested.state == orderpb.ORDER_STATE_CANCELED


async def holds_nothing(trading: TradingMesh) -> bool:
    request = portfolioservicepb.ListPositionsRequest(account=trading.world, world_id=trading.world)
    return not (await trading.client.portfolios.ListPositions(request)).positions


MARKET = {"type": "ORDER_TYPE_MARKET", "limit_price": ""}


async def holds(trading: TradingMesh, quantity: str) -> bool:
    request = portfolioservicepb.ListPositionsRequest(account=trading.world, world_id=trading.world)
    return [held.quantity for held in (await trading.client.portfolios.ListPositions(request)).positions] == [quantity]
