"""The order gate over the wire. What passes it reaches brokerage, which knows no account here and says so."""

from __future__ import annotations

import asyncio

import pytest
from grpc.aio import EOF, StreamStreamCall

from controlbus.bus import connected
from controlbus.jetstream.subjects import orders_subject
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, NotFound, PermissionDenied
from qmtl.core.roles import Role
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.rpc.client.streams import scoped
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from tests.gateway.harness import GatewayHarness, gates_hold, make_world, submitted, trading
from tests.mesh.gateway_client import GatewayClient
from tests.support.waiting import eventually

LAPSE_S = 4.0  # a gate session's ttl without its margin
ROLE_FORGOTTEN_S = 11.0


BUY, SELL = orderpb.ORDER_SIDE_BUY, orderpb.ORDER_SIDE_SELL


def order(world_id: str, strategy_id: str, side: orderpb.OrderSide = BUY) -> tradingservicepb.SubmitOrderRequest:
    return tradingservicepb.SubmitOrderRequest(order=orderpb.Order(
        account="none", world_id=world_id, strategy_id=strategy_id, client_order_id="o-1", symbol="BTC-USD",
        side=side, type=orderpb.ORDER_TYPE_MARKET, time_in_force=orderpb.TIME_IN_FORCE_GTC, quantity="1",
    ))  # fmt: skip


async def trading_world(harness: GatewayHarness) -> tuple[GatewayClient, str, str]:
    ann = await harness.client()
    world = await make_world(ann)
    strategy_id = (await submitted(ann, world)).strategy_id
    await trading(ann, world, strategy_id)
    await eventually(lambda: passes(ann, world, strategy_id))
    return ann, world, strategy_id


async def passes(client: GatewayClient, world_id: str, strategy_id: str, side: orderpb.OrderSide = BUY) -> bool:
    """Whether an order gets as far as brokerage."""
    return await verdict(client, world_id, strategy_id, side) is None


async def verdict(
    client: GatewayClient, world_id: str, strategy_id: str, side: orderpb.OrderSide = BUY
) -> orderpb.Denial | None:
    """The gate's rule that refused an order, None when it passed."""
    try:
        status = (await client.trading.SubmitOrder(order(world_id, strategy_id, side))).status
    except NotFound:
        return None
    assert status.state == orderpb.ORDER_STATE_DENIED
    return status.denial


async def change(client: GatewayClient, world_id: str, entry: activationpb.ActivationChange) -> None:
    entry.side = commonpb.SIDE_LONG
    entry.active = True
    await client.activation.SetActivation(activationservicepb.SetActivationRequest(world_id=world_id, changes=[entry]))


async def test_activated_strategy_passes_and_others_do_not(harness: GatewayHarness) -> None:
    ann, world, strategy_id = await trading_world(harness)
    assert await verdict(ann, world, "s-other") == orderpb.DENIAL_GATE_INACTIVE
    with pytest.raises(NotFound) as unknown:
        await ann.trading.SubmitOrder(order("w-none", strategy_id))
    assert unknown.value.reason == "E_WORLD_UNKNOWN"
    bob = await harness.client(Role.READER, "bob")
    with pytest.raises(PermissionDenied):
        await bob.trading.SubmitOrder(order(world, strategy_id))


async def test_new_strategy_does_not_pass(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    strategy_id = (await submitted(ann, world)).strategy_id
    assert await verdict(ann, world, strategy_id) in (
        orderpb.DENIAL_GATE_INACTIVE, orderpb.DENIAL_GATE_ACTIVATION_UNKNOWN,
        orderpb.DENIAL_GATE_MODE_FORBIDS_ORDERS,
    )  # fmt: skip


async def test_freeze_shuts_and_drain_lets_reducing_pass(harness: GatewayHarness) -> None:
    ann, world, strategy_id = await trading_world(harness)
    await change(ann, world, activationpb.ActivationChange(strategy_id=strategy_id, freeze=True))

    async def frozen() -> bool:
        return await verdict(ann, world, strategy_id) == orderpb.DENIAL_GATE_FROZEN

    await eventually(frozen)
    assert await verdict(ann, world, strategy_id, SELL) is not None
    await change(ann, world, activationpb.ActivationChange(strategy_id=strategy_id, freeze=False, drain=True))
    await eventually(lambda: passes(ann, world, strategy_id, SELL))
    assert await verdict(ann, world, strategy_id) is not None


async def test_suspended_gateway_is_shut_before_it_asks_anybody(harness: GatewayHarness) -> None:
    ann, world, strategy_id = await trading_world(harness)
    await harness.stop("worldservice")
    harness.clock.slept_s = LAPSE_S
    assert await verdict(ann, world, strategy_id) == orderpb.DENIAL_GATE_SESSION_LAPSED
    await harness.start("worldservice")
    await eventually(lambda: passes(ann, world, strategy_id))


async def test_gate_shuts_by_itself_when_worldservice_stays_away(harness: GatewayHarness) -> None:
    ann, world, strategy_id = await trading_world(harness)
    stopped = asyncio.get_running_loop().time()
    await harness.stop("worldservice")

    async def lapsed() -> bool:
        return await verdict(ann, world, strategy_id) == orderpb.DENIAL_GATE_SESSION_LAPSED

    await eventually(lapsed)
    assert asyncio.get_running_loop().time() - stopped <= LAPSE_S + 2.0
    harness.clock.slept_s = ROLE_FORGOTTEN_S  # and nobody can be asked for the role
    assert await lapsed()
    assert await passes(ann, world, strategy_id, SELL), "what reduces goes to brokerage, whose fence and book decide"
    assert not await gates_hold(ann)
    bob = await harness.client(Role.READER, "bob")
    with pytest.raises(PermissionDenied):
        await bob.trading.SubmitOrder(order(world, strategy_id, SELL))


async def test_canceled_strategy_loses_its_entry(harness: GatewayHarness) -> None:
    ann, world, strategy_id = await trading_world(harness)
    await ann.strategies.CancelStrategy(strategyservicepb.CancelStrategyRequest(strategy_id=strategy_id))

    async def shut() -> bool:
        return await verdict(ann, world, strategy_id) is not None

    await eventually(shut)


async def test_cancel_passes_although_the_gate_is_shut(harness: GatewayHarness) -> None:
    ann, world, strategy_id = await trading_world(harness)
    harness.clock.slept_s = LAPSE_S
    key = orderpb.OrderKey(account="none", world_id=world, strategy_id=strategy_id, client_order_id="o-1")
    with pytest.raises(NotFound):
        await ann.trading.CancelOrder(tradingservicepb.CancelOrderRequest(key=key))


async def test_symbol_of_no_version_does_not_pass(harness: GatewayHarness) -> None:
    ann, world, strategy_id = await trading_world(harness)
    sentinels = (
        await ann.sentinels.ListSentinels(sentinelservicepb.ListSentinelsRequest(strategy_id=strategy_id))
    ).sentinels
    assert [one.traffic_weight for one in sentinels] == ["1"]
    weight = sentinelservicepb.SetTrafficWeightRequest(sentinel_id=sentinels[0].sentinel_id, traffic_weight="0")
    await ann.sentinels.SetTrafficWeight(weight)

    async def refused() -> bool:
        return await verdict(ann, world, strategy_id) == orderpb.DENIAL_GATE_OTHER_CANARY_SHARE

    await eventually(refused)
    weight.traffic_weight = "1"
    await ann.sentinels.SetTrafficWeight(weight)
    await eventually(lambda: passes(ann, world, strategy_id))


async def test_trade_stream_answers_each_act_and_shows_events_of_its_orders(harness: GatewayHarness) -> None:
    ann, world, strategy_id = await trading_world(harness)
    call = ann.trading.TradeStream(timeout=20)
    with scoped(call):
        good, shut, empty = order(world, strategy_id).order, order(world, "s-other").order, orderpb.Order()
        for name, asked in (("good", good), ("shut", shut), ("empty", empty)):
            await call.write(tradingservicepb.TradeStreamRequest(correlation_id=name, submit=asked))
        key = orderpb.OrderKey(account="none", world_id=world, strategy_id=strategy_id, client_order_id="o-1")
        await call.write(tradingservicepb.TradeStreamRequest(correlation_id="cancel", cancel=key))
        await call.write(tradingservicepb.TradeStreamRequest(correlation_id="nothing"))
        replies = [await reply_of(call) for _ in range(5)]
        answers = {reply.correlation_id: reply for reply in replies}
        assert answers["good"].error.reason == "E_ACCOUNT_UNKNOWN"
        assert answers["shut"].status.denial == orderpb.DENIAL_GATE_INACTIVE
        assert answers["empty"].error.reason == "E_ORDER_FIELDS"
        assert answers["cancel"].error.reason in ("E_ACCOUNT_UNKNOWN", "E_ORDER_UNKNOWN")
        assert answers["nothing"].error.reason == "E_ACT"
        mine = orderpb.OrderEvent(
            account="none",
            world_id=world,
            strategy_id=strategy_id,
            client_order_id="o-1",
            order_event_number=1,
            account_event_number=2,
        )
        others = orderpb.OrderEvent(
            account="none",
            world_id=world,
            strategy_id=strategy_id,
            client_order_id="o-9",
            order_event_number=1,
            account_event_number=1,
        )
        async with connected(harness.mesh.nats_url, service="t") as bus:
            told = orderpb.OrderEvents(events=[others, mine])
            await bus.publish(orders_subject(world, "none"), told.SerializeToString(), msg_id=world)
        assert (await reply_of(call)).event == mine
        await call.done_writing()
        assert await call.read() is EOF


async def test_a_list_is_gated_whole_and_a_change_as_its_order(harness: GatewayHarness) -> None:
    ann, world, strategy_id = await trading_world(harness)

    def listed(who: str, *sides: orderpb.OrderSide) -> tradingservicepb.SubmitOrderListRequest:
        orders = [order(world, who, side).order for side in sides]
        for number, one in enumerate(orders):
            one.client_order_id, one.list_id, one.contingency = f"l-{number}", "l", orderpb.CONTINGENCY_OCO
            one.linked_client_order_ids.extend(f"l-{other}" for other in range(len(sides)) if other != number)
        return tradingservicepb.SubmitOrderListRequest(orders=orders)

    with pytest.raises(NotFound) as passed:
        await ann.trading.SubmitOrderList(listed(strategy_id, BUY, SELL))
    assert passed.value.reason == "E_ACCOUNT_UNKNOWN"  # as far as brokerage
    statuses = (await ann.trading.SubmitOrderList(listed("s-other", BUY, SELL))).statuses
    assert [one.denial for one in statuses] == [orderpb.DENIAL_GATE_INACTIVE, orderpb.DENIAL_LIST_DENIED]
    two_owners = listed(strategy_id, BUY, SELL)
    two_owners.orders[1].world_id = "w-other"
    for malformed in (listed(strategy_id), listed(strategy_id, BUY), listed(strategy_id, *[BUY] * 17), two_owners):
        with pytest.raises(InvalidRequest, match="E_ORDER_LIST_MALFORMED"):
            await ann.trading.SubmitOrderList(malformed)
    bob = await harness.client(Role.READER, "bob")
    key = orderpb.OrderKey(account="none", world_id=world, strategy_id=strategy_id, client_order_id="o-1")
    change = tradingservicepb.ReplaceOrderRequest(key=key, request_id="r")
    for refused in (bob.trading.SubmitOrderList(listed(strategy_id, BUY, SELL)), bob.trading.ReplaceOrder(change)):
        with pytest.raises(PermissionDenied):
            await refused
    with pytest.raises(NotFound):
        await ann.trading.ReplaceOrder(change)


async def reply_of(
    call: StreamStreamCall[tradingservicepb.TradeStreamRequest, tradingservicepb.TradeStreamResponse],
) -> tradingservicepb.TradeStreamResponse:
    reply = await call.read()
    assert isinstance(reply, tradingservicepb.TradeStreamResponse)
    return reply
