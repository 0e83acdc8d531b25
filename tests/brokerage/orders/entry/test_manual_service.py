"""ManualOrderService over the wire: who may act by hand, what has to be said, and what is answered."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokerage.domain.orders.order import OPERATOR
from brokerage.domain.orders.states import OrderType
from brokerage.orders.wire import order_to_proto
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import manual_order_service_pb2 as manualorderservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.core.errors import InvalidRequest, NotFound, PermissionDenied, Unavailable
from qmtl.core.roles import Role
from tests.brokerage.mesh import Client, Mesh
from tests.brokerage.samples import order


def asked(name: str = "h1", reason: str = "drill", **changes: str) -> manualorderservicepb.SubmitManualOrderRequest:
    """A purchase below the market, of no world."""
    wanted = order_to_proto(order(name, type=OrderType.LIMIT, limit_price=Decimal(90)))
    wanted.world_id = wanted.strategy_id = ""
    wanted.MergeFrom(orderpb.Order(**changes))  # type: ignore[arg-type]  # the test names text fields
    return manualorderservicepb.SubmitManualOrderRequest(order=wanted, reason=reason)


async def test_an_operator_orders_and_cancels_by_hand(client: Client) -> None:
    taken = await client.manual.SubmitManualOrder(asked())
    assert (taken.status.origin, taken.duplicate) == (orderpb.ORDER_ORIGIN_OPERATOR, False)
    assert (taken.status.order.world_id, taken.status.order.strategy_id) == (OPERATOR, OPERATOR)
    assert (await client.manual.SubmitManualOrder(asked())).duplicate
    key = orderpb.OrderKey(account="acc", world_id=OPERATOR, strategy_id=OPERATOR, client_order_id="h1")
    cancel = manualorderservicepb.CancelManualOrderRequest(key=key)
    assert (await client.manual.CancelManualOrder(cancel)).status.state == orderpb.ORDER_STATE_CANCELED
    cancel.key.strategy_id = "s1"
    with pytest.raises(InvalidRequest, match="E_FIELD"):
        await client.manual.CancelManualOrder(cancel)
    named = (await client.manual.SubmitManualOrder(asked("h2", world_id="w1"))).status
    assert (named.order.world_id, named.denial) == ("w1", orderpb.DENIAL_UNSPECIFIED)
    flatten = manualorderservicepb.FlattenPositionsRequest(account="acc", request_id="r", reason="drill")
    assert (await client.manual.FlattenPositions(flatten)).orders == 0


async def test_who_does_not_operate_the_account_does_nothing_by_hand(mesh: Mesh, client: Client) -> None:
    flatten = manualorderservicepb.FlattenPositionsRequest(account="acc", request_id="r", reason="drill")
    key = orderpb.OrderKey(account="acc", world_id=OPERATOR, strategy_id=OPERATOR, client_order_id="h1")
    for other in (mesh.client(role=Role.READER), mesh.client(worlds=["w9"])):
        for call in (
            other.manual.SubmitManualOrder(asked()),
            other.manual.FlattenPositions(flatten),
            other.manual.CancelManualOrder(manualorderservicepb.CancelManualOrderRequest(key=key)),
        ):
            with pytest.raises((PermissionDenied, Unavailable)):  # a reader is asked about, and nobody answers here
                await call
    with pytest.raises(PermissionDenied):
        await mesh.client(worlds=["w1"]).manual.SubmitManualOrder(asked(world_id="w2"))


async def test_an_account_of_no_world_is_operated_by_who_operates_the_mesh_alone(mesh: Mesh, client: Client) -> None:
    await client.accounts.DisallowWorld(accountservicepb.DisallowWorldRequest(account="acc", world_id="w1"))
    flatten = manualorderservicepb.FlattenPositionsRequest(account="acc", request_id="r", reason="drill")
    for other in (mesh.client(role=Role.READER), mesh.client(worlds=["w9"])):
        for call in (
            other.manual.SubmitManualOrder(asked()),
            other.manual.FlattenPositions(flatten),
            other.accounts.AllowWorld(accountservicepb.AllowWorldRequest(account="acc", world_id="w9")),
        ):
            with pytest.raises((PermissionDenied, Unavailable)):  # a reader is asked about, and nobody answers here
                await call
    with pytest.raises(PermissionDenied):
        await mesh.client(worlds=["w9"]).orders.ListOrders(orderservicepb.ListOrdersRequest(account="acc"))
    assert (await client.manual.SubmitManualOrder(asked())).status.denial == orderpb.DENIAL_UNSPECIFIED
    named = accountservicepb.GetAccountRequest(account="acc")
    assert (await client.accounts.GetAccount(named)).account.account == "acc"
    with pytest.raises(NotFound, match="E_ACCOUNT_UNKNOWN"):
        await mesh.client(worlds=["w9"]).accounts.GetAccount(named)


async def test_what_makes_no_order_by_hand_is_refused_by_field(client: Client) -> None:
    for reason in ("", "x" * 201):
        with pytest.raises(InvalidRequest) as caught:
            await client.manual.SubmitManualOrder(asked(reason=reason))
        assert caught.value.violations[0].field == "reason"
    with pytest.raises(InvalidRequest) as strategy:
        await client.manual.SubmitManualOrder(asked(strategy_id="s1"))
    assert strategy.value.violations[0].field == "order.strategy_id"
    with pytest.raises(NotFound, match="E_ACCOUNT_UNKNOWN"):
        await client.manual.SubmitManualOrder(asked(account="none"))
    flatten = manualorderservicepb.FlattenPositionsRequest(account="acc", request_id="x" * 65, reason="drill")
    with pytest.raises(InvalidRequest):
        await client.manual.FlattenPositions(flatten)
