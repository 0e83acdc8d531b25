"""Message to value and back, and the fields that are refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.domain.orders.states import EventKind, FillFlag, OrderState, OrderType, OrderView, TimeInForce
from brokerage.domain.risk.fence import Fence, FenceState
from brokerage.fences.wire import fence_from_proto, fence_to_proto
from brokerage.instants import instant_ns, ns_of, timestamp
from brokerage.orders.wire import gate_from_proto, order_from_proto, order_to_proto
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as pb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.common.v1 import limits_pb2 as limitspb
from qmtl.core.clock import SystemClock
from qmtl.core.errors import InvalidRequest
from qmtl.core.limits import UNLIMITED, RiskLimits, limits_of, limits_text
from qmtl.core.modes import EffectiveMode
from tests.brokerage.samples import LIMIT_NAMES, order

NAMES = st.text("abcXYZ-_é1", min_size=1, max_size=20)
PRICES = st.integers(1, 10**12).map(lambda units: Decimal(units).scaleb(-4))
TIMES = st.integers(0, 4 * 10**18)
LIMITS = st.builds(RiskLimits, **dict.fromkeys(LIMIT_NAMES, st.none() | PRICES))


@st.composite
def orders(draw: st.DrawFn) -> Order:
    kind = draw(st.sampled_from(OrderType))
    tif = draw(st.sampled_from(TimeInForce))
    limited = kind in {
        OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED, OrderType.TRAILING_STOP_LIMIT,
    }  # fmt: skip
    stopped = kind in {OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED}
    return Order(
        owner=Owner(draw(NAMES), draw(NAMES), draw(NAMES)),
        client_order_id=draw(NAMES),
        symbol=draw(NAMES),
        side=draw(st.sampled_from(Side)),
        quantity=draw(PRICES),
        type=kind,
        tif=tif,
        limit_price=draw(PRICES) if limited else None,
        stop_price=draw(PRICES) if stopped else None,
        expire_at_ns=draw(TIMES) if tif is TimeInForce.GTD else None,
        reduce_only=draw(st.booleans()),
        post_only=draw(st.booleans()),
        trail_amount=draw(st.none() | PRICES),
        decided_ns=draw(st.none() | TIMES),
        tags=tuple(draw(st.lists(NAMES, max_size=3))),
    )


@given(orders())
def test_orders_round_trip(made: Order) -> None:
    message = brokerpb.Order.FromString(order_to_proto(made).SerializeToString())
    assert order_from_proto(message) == made


@given(st.integers(1, 2**63), st.sampled_from(FenceState), st.sampled_from(EffectiveMode), LIMITS)
def test_fences_round_trip(epoch: int, state: FenceState, mode: EffectiveMode, limits: RiskLimits) -> None:
    made = Fence("w1", epoch, state, mode, limits)
    message = fence_to_proto(made, 0)
    assert message.HasField("limits") == (limits != UNLIMITED)
    assert brokerpb.FenceState.Name(message.state) == f"FENCE_STATE_{state.name}"
    limited = message.HasField("limits") and state is not FenceState.FROZEN
    request = pb.SetFenceRequest(
        world_id=message.world_id,
        epoch=message.epoch,
        state=f"FENCE_STATE_{state.name}_LIMITED" if limited else message.state,
        effective_mode=message.effective_mode,
        limits=message.limits if message.HasField("limits") else None,
    )
    assert fence_from_proto(request) == made


@pytest.mark.parametrize("name", ["OPEN", "DRAIN"])
@pytest.mark.parametrize("limited", [True, False])
def test_a_state_that_does_not_go_with_its_limits_is_refused(name: str, limited: bool) -> None:
    message = pb.SetFenceRequest(
        world_id="w1",
        epoch=1,
        state=f"FENCE_STATE_{name}" if limited else f"FENCE_STATE_{name}_LIMITED",
        effective_mode=commonpb.EFFECTIVE_MODE_PAPER,
        limits=limitspb.RiskLimits(order_notional_max="5" if limited else ""),
    )
    with pytest.raises(InvalidRequest, match=f"state is {name}.*, want .*_LIMITED") as caught:
        fence_from_proto(message)
    assert (caught.value.reason, caught.value.violations[0].field) == ("E_FENCE_LIMITS", "state")


@given(LIMITS)
def test_limits_round_trip_through_their_column(limits: RiskLimits) -> None:
    assert limits_of(limits_text(limits)) == limits


def test_equal_limits_are_equal_text_and_none_is_an_empty_object() -> None:
    assert limits_text(UNLIMITED) == "{}"
    written = RiskLimits(order_notional_max=Decimal("1.50"), gross_notional_max=Decimal("1E+3"))
    assert limits_text(written) == '{"gross_notional_max":"1000","order_notional_max":"1.5"}'


def test_a_limit_nobody_here_knows_is_not_taken_for_none() -> None:
    with pytest.raises(TypeError, match="leverage_max"):
        limits_of('{"leverage_max":"2"}')


@pytest.mark.parametrize("name", LIMIT_NAMES)
@pytest.mark.parametrize("written", ["0", "-1", "1e3", "NaN", "Infinity", "0.0", "much", " 1"])
def test_a_limit_that_is_none_is_refused_by_name(name: str, written: str) -> None:
    message = pb.SetFenceRequest(
        world_id="w1",
        epoch=1,
        state=brokerpb.FENCE_STATE_OPEN,
        effective_mode=commonpb.EFFECTIVE_MODE_PAPER,
        limits=limitspb.RiskLimits(**{name: written}),
    )
    with pytest.raises(InvalidRequest) as caught:
        fence_from_proto(message)
    assert (caught.value.reason, caught.value.violations[0].field) == ("E_DECIMAL", f"limits.{name}")


@given(TIMES)
def test_times_round_trip(ns: int) -> None:
    assert ns_of(timestamp(ns)) == ns


def test_an_instant_keeps_its_microseconds() -> None:
    now = SystemClock().now()
    assert timestamp(instant_ns(now)).ToDatetime(tzinfo=now.tzinfo) == now


@pytest.mark.parametrize(
    "names",
    [
        {f"DENIAL_{denial.name}" for denial in Denial} - set(brokerpb.Denial.keys()),
        {f"ORDER_STATE_{state.name}" for state in OrderState}
        ^ (set(brokerpb.OrderState.keys()) - {"ORDER_STATE_UNSPECIFIED"}),
        {f"ORDER_VIEW_{view.name}" for view in OrderView}
        ^ (set(brokerpb.OrderView.keys()) - {"ORDER_VIEW_UNSPECIFIED"}),
        {f"ORDER_EVENT_KIND_{kind.name}" for kind in EventKind} - set(brokerpb.OrderEventKind.keys()),
        {f"ORDER_TYPE_{kind.name}" for kind in OrderType}
        ^ (set(brokerpb.OrderType.keys()) - {"ORDER_TYPE_UNSPECIFIED"}),
        {f"TIME_IN_FORCE_{tif.name}" for tif in TimeInForce} - set(brokerpb.TimeInForce.keys()),
        {f"FILL_FLAG_{flag.name}" for flag in FillFlag} - set(brokerpb.FillFlag.keys()),
    ],
    ids=["denial", "state", "view", "kind", "type", "tif", "flag"],
)
def test_every_word_of_the_domain_is_a_word_of_the_contract(names: set[str]) -> None:
    assert names == set()


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("quantity", "1e5", "E_DECIMAL"),
        ("quantity", "", "E_DECIMAL"),
        ("limit_price", "Infinity", "E_DECIMAL"),
        ("position_side", brokerpb.POSITION_SIDE_LONG, "E_ENUM"),
        ("time_in_force", 0, "E_ENUM"),
        ("symbol", "", "E_NAME"),
        ("strategy_id", "x" * 129, "E_NAME"),
        ("venue", "mars", "E_VENUE_UNKNOWN"),
    ],
)
def test_bad_fields_are_refused_by_name(field: str, value: str | int, reason: str) -> None:
    message = order_to_proto(order("o1"))
    setattr(message, field, value)
    with pytest.raises(InvalidRequest) as caught:
        order_from_proto(message)
    assert caught.value.reason == reason
    assert caught.value.violations[0].field == f"order.{field}"


def test_too_many_tags_are_refused() -> None:
    message = order_to_proto(order("o1", tags=tuple("abcdefghijklmnopq")))
    with pytest.raises(InvalidRequest, match="at most 16"):
        order_from_proto(message)


def test_a_fence_needs_an_epoch_and_known_words() -> None:
    good = {"world_id": "w1", "epoch": 1, "state": "FENCE_STATE_OPEN", "effective_mode": "EFFECTIVE_MODE_PAPER"}
    assert fence_from_proto(pb.SetFenceRequest(**good)).epoch == 1  # type: ignore[arg-type]  # names are enum values
    for change in ({"epoch": 0}, {"state": 0}, {"effective_mode": 0}, {"state": 9}, {"world_id": ""}):
        with pytest.raises(InvalidRequest):
            fence_from_proto(pb.SetFenceRequest(**{**good, **change}))  # type: ignore[arg-type]  # as above


def test_an_order_without_a_gate_stamp_was_not_gated() -> None:
    with pytest.raises(InvalidRequest):
        gate_from_proto(pb.GateStamp())
