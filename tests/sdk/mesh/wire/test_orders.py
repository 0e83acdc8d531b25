"""Messages and values: pairs that round-trip, orders that are the same order twice."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.orders.order import Owner
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.errors import InvalidRequest
from qmtl.sdk.execution.port import MarketOrder
from qmtl.sdk.mesh.wire.orders import fill_from_proto, open_quantity, order_to_proto
from qmtl.wire.instants import ns_from_proto, ns_to_proto

OWNER = Owner("a", "w", "s")
quantities = st.decimals(-(10**9), 10**9, places=8).filter(bool)


@given(quantities, st.integers(0, 2**61))
def test_one_intent_is_one_order_however_often_it_is_written(quantity: Decimal, decided_ns: int) -> None:
    wanted = MarketOrder("id", "BTC-USD", quantity, decided_ns)
    order = order_to_proto(OWNER, wanted)
    assert order.SerializeToString(deterministic=True) == order_to_proto(OWNER, wanted).SerializeToString(
        deterministic=True
    )
    sign = 1 if order.side == orderpb.ORDER_SIDE_BUY else -1
    assert sign * Decimal(order.quantity) == quantity
    assert ns_from_proto(order.decided_at, "order.decided_at") == decided_ns


@given(st.integers(0, 2**62))
def test_instants_round_trip(time_ns: int) -> None:
    assert ns_from_proto(ns_to_proto(time_ns), "time") == time_ns


def test_an_open_order_may_still_fill_what_it_has_not() -> None:
    def status(side: orderpb.OrderSide, working: str, done: str) -> orderpb.OrderStatus:
        order = orderpb.Order(symbol="BTC-USD", side=side)
        return orderpb.OrderStatus(order=order, working_quantity=working, cumulative_quantity=done)

    assert open_quantity(status(orderpb.ORDER_SIDE_BUY, "1", "0.25")) == Decimal("0.75")
    assert open_quantity(status(orderpb.ORDER_SIDE_SELL, "2", "")) == -2


def test_a_sale_is_a_negative_fill_and_a_bad_number_is_refused() -> None:
    fill = orderpb.Fill(symbol="BTC-USD", side=orderpb.ORDER_SIDE_SELL, quantity="1.5", price="2", fee="0.1")
    assert fill_from_proto(fill).quantity == Decimal("-1.5")
    fill.price = "NaN"
    with pytest.raises(InvalidRequest, match=r"fill\.price"):
        fill_from_proto(fill)
