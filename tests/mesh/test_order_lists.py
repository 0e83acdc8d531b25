"""A bracket and its changes through the real processes of a mesh: made once, whoever is killed, however often asked."""

from __future__ import annotations

import asyncio
import itertools
import signal
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotReady, Unavailable
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from tests.mesh.gateway_client import GatewayClient
from tests.mesh.trading_mesh import RESTING, TradingMesh
from tests.support.waiting import eventually

ACCEPTED, CANCELED, FILLED = (
    orderpb.ORDER_STATE_ACCEPTED,
    orderpb.ORDER_STATE_CANCELED,
    orderpb.ORDER_STATE_FILLED,
)
EXIT = {"side": "ORDER_SIDE_SELL", "reduce_only": True, "parent_client_order_id": "entry", "list_id": "bracket"}


@pytest.fixture
async def trading(mesh: Mesh, client: GatewayClient) -> TradingMesh:
    made = TradingMesh(mesh, {"gateway": client})
    await made.prepare(bars_per_second=4.0)
    numbers = itertools.count()

    async def priced() -> bool:
        probe = made.order(f"probe-{next(numbers)}", **RESTING, time_in_force="TIME_IN_FORCE_IOC")
        return (await made.submit(probe)).status.state != orderpb.ORDER_STATE_DENIED

    await eventually(priced, 20.0)
    return made


def bracket(trading: TradingMesh) -> tradingservicepb.SubmitOrderListRequest:
    """A market purchase with a stop and a target far from the market, of which only one fills."""
    entry = trading.order(
        "entry",
        side="ORDER_SIDE_BUY",
        type="ORDER_TYPE_MARKET",
        list_id="bracket",
        contingency="CONTINGENCY_OTO",
        linked_client_order_ids=["stop", "target"],
    )
    oco = {**EXIT, "contingency": "CONTINGENCY_OCO"}
    stop = trading.order(
        "stop", **oco, type="ORDER_TYPE_STOP_MARKET", stop_price="20000", linked_client_order_ids=["target"]
    )
    target = trading.order(
        "target", **oco, type="ORDER_TYPE_LIMIT", limit_price="90000", linked_client_order_ids=["stop"]
    )
    return tradingservicepb.SubmitOrderListRequest(orders=[entry, stop, target])


def change(trading: TradingMesh, name: str, request_id: str, **terms: Any) -> tradingservicepb.ReplaceOrderRequest:
    key = orderpb.OrderKey(
        account=trading.world, world_id=trading.world, strategy_id=trading.strategy_id, client_order_id=name
    )
    return tradingservicepb.ReplaceOrderRequest(
        key=key,
        terms=orderentryservicepb.OrderTerms(**terms),
        update_mask=FieldMask(paths=list(terms)),
        request_id=request_id,
    )


@pytest.mark.timeout(120)
async def test_a_bracket_and_its_changes_are_made_once_though_the_gateway_is_killed(trading: TradingMesh) -> None:
    asked, calls = bracket(trading), trading.client.trading
    taken = await calls.SubmitOrderList(asked)
    assert [status.denial for status in taken.statuses] == [orderpb.DENIAL_UNSPECIFIED] * 3
    assert not taken.duplicate
    await trading.until_order("entry", FILLED)
    for name in ("stop", "target"):
        await trading.until_order(name, ACCEPTED)
    raised = change(trading, "stop", "r1", stop_price="21000")
    first = await calls.ReplaceOrder(raised)
    assert (first.denial, first.duplicate) == (orderpb.DENIAL_UNSPECIFIED, False)

    pid = trading.mesh.kill("gateway", signal.SIGKILL)
    await asyncio.to_thread(trading.mesh.wait_ready, "gateway", other_than=pid)

    async def known_again() -> bool:
        """The gate that was just started holds the world's activation."""
        try:
            return (await calls.SubmitOrderList(asked)).duplicate
        except Unavailable:
            return False

    await eventually(known_again, 30.0)
    again = await calls.ReplaceOrder(raised)
    assert (again.duplicate, again.status.order.client_order_id) == (True, "stop")

    lowered = await calls.ReplaceOrder(change(trading, "target", "r2", limit_price="30000"))
    assert lowered.denial == orderpb.DENIAL_UNSPECIFIED
    await trading.until_order("target", FILLED)
    ended = await trading.until_order("stop", CANCELED)
    assert ended.cumulative_quantity == "0"
    with pytest.raises(NotReady, match="E_ORDER_CLOSED"):
        await calls.ReplaceOrder(change(trading, "target", "r3", limit_price="31000"))


@pytest.mark.timeout(120)
async def test_a_demotion_in_an_open_world_withdraws_entries_and_leaves_exits(trading: TradingMesh) -> None:
    taken = await trading.client.trading.SubmitOrderList(bracket(trading))
    assert not taken.duplicate
    await trading.until_order("stop", ACCEPTED)
    await trading.submit(trading.order("more"))
    await trading.until_order("more", ACCEPTED)
    drains = activationpb.ActivationChange(strategy_id=trading.strategy_id, side=commonpb.SIDE_LONG, drain=True)
    request = activationservicepb.SetActivationRequest(world_id=trading.world, changes=[drains])
    await trading.client.activation.SetActivation(request)
    await trading.until_order("more", CANCELED)
    assert [(await trading.status(name)).state for name in ("stop", "target")] == [ACCEPTED] * 2
