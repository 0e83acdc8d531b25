"""Messages and values: pairs that round-trip, orders that are the same order twice."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.core.errors import InvalidRequest
from qmtl.data.v1 import data_pb2 as datapb
from qmtl.sdk import Bars
from qmtl.sdk.planner import Intent
from qmtl.sdk.wire import (
    Desk,
    bar_from_proto,
    bars_from_arrow,
    expected_quantity,
    fill_from_proto,
    nanoseconds,
    order_to_proto,
    schema_hash,
    stamp,
    subscription,
)
from qmtl.sdk.words import OHLCV, VALUE
from tests.sdk.fakes import ipc
from tests.sdk.market import gapped, walk

DESK = Desk("a", "w", "s")
quantities = st.decimals(-(10**9), 10**9, places=8).filter(bool)


@given(quantities, st.integers(0, 2**61))
def test_one_intent_is_one_order_however_often_it_is_written(quantity: Decimal, decided_ns: int) -> None:
    intent = Intent("id", "BTC-USD", quantity, decided_ns)
    order = order_to_proto(DESK, intent)
    assert order.SerializeToString(deterministic=True) == order_to_proto(DESK, intent).SerializeToString(
        deterministic=True
    )
    sign = 1 if order.side == brokerpb.ORDER_SIDE_BUY else -1
    assert sign * Decimal(order.quantity) == quantity
    assert nanoseconds(order.decided_at) == decided_ns


@given(st.integers(0, 2**62))
def test_instants_round_trip(time_ns: int) -> None:
    assert nanoseconds(stamp(time_ns)) == time_ns


@given(bars=gapped(), cut=st.integers(0, 160))
@settings(deadline=None, max_examples=25)
def test_arrow_parts_come_back_bit_for_bit(bars: Bars, cut: int) -> None:
    middle = int(bars.open_ns[min(cut, len(bars) - 1)]) if len(bars) else 0
    parts = [ipc(bars.between(None, middle)), ipc(bars.between(middle))]
    back = bars_from_arrow(parts, bars.symbol, bars.interval_s)
    assert back.open_ns.tolist() == bars.open_ns.tolist()
    assert back.values.tobytes() == bars.values.tobytes()


def test_no_parts_are_no_bars() -> None:
    assert len(bars_from_arrow([], "BTC-USD", 900)) == 0


@given(st.lists(st.floats(1e-9, 1e15), min_size=5, max_size=5))
def test_a_live_bar_has_the_very_doubles_of_history(row: list[float]) -> None:
    bar = datapb.Bar(open_time=stamp(900 * 10**9), close_time=stamp(1800 * 10**9))
    bar.open, bar.high, bar.low, bar.close, bar.volume = (repr(value) for value in row)
    assert bar_from_proto(bar).row == tuple(row)


def test_open_orders_count_whole_and_closed_ones_by_what_they_got() -> None:
    def status(side: brokerpb.OrderSide, view: brokerpb.OrderView, working: str, done: str) -> brokerpb.OrderStatus:
        order = brokerpb.Order(symbol="BTC-USD", side=side)
        return brokerpb.OrderStatus(order=order, view=view, working_quantity=working, cumulative_quantity=done)

    buy, sell = brokerpb.ORDER_SIDE_BUY, brokerpb.ORDER_SIDE_SELL
    statuses = [
        status(buy, brokerpb.ORDER_VIEW_FILLED, "2", "2"),
        status(sell, brokerpb.ORDER_VIEW_CANCELED, "2", "0.5"),
        status(buy, brokerpb.ORDER_VIEW_PARTIALLY_FILLED, "1", "0.25"),
        status(buy, brokerpb.ORDER_VIEW_DENIED, "", ""),
    ]
    assert expected_quantity(statuses, "BTC-USD") == Decimal("2.5")
    assert expected_quantity(statuses, "ETH-USD") == 0


def test_a_sale_is_a_negative_fill_and_a_bad_number_is_refused() -> None:
    fill = brokerpb.Fill(symbol="BTC-USD", side=brokerpb.ORDER_SIDE_SELL, quantity="1.5", price="2", fee="0.1")
    assert fill_from_proto(fill).quantity == Decimal("-1.5")
    fill.price = "NaN"
    with pytest.raises(InvalidRequest, match=r"fill\.price"):
        fill_from_proto(fill)


def test_schema_hash_tells_fields_apart() -> None:
    assert schema_hash(OHLCV) != schema_hash(VALUE)
    assert schema_hash(OHLCV) == schema_hash(OHLCV)


def test_subscription_starts_at_a_bar() -> None:
    request = subscription("d", "s", int(walk(2).open_ns[1]))
    assert nanoseconds(getattr(request, "from")) == int(walk(2).open_ns[1])
