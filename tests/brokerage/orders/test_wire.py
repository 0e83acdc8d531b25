"""Message to value and back, and the fields that are refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import OWN_TAGS, Order, Owner, Side, TrailOffsetType
from brokerage.domain.orders.states import EventKind, FillFlag, OrderState, OrderType, OrderView, TimeInForce
from brokerage.domain.risk.fence import Fence, FenceState, Standings
from brokerage.fences.wire import fence_from_proto, fence_to_proto
from brokerage.orders.wire import (
    gate_from_proto,
    listed_orders_from_proto,
    order_from_proto,
    order_to_proto,
    orders_from_proto,
)
from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.common.v1 import limits_pb2 as limitspb
from qmtl.core.errors import InvalidRequest
from qmtl.core.limits import UNLIMITED, RiskLimits, limits_of, limits_text
from qmtl.core.modes import EffectiveMode
from tests.brokerage.orders.entry.test_submit_list import bracket
from tests.brokerage.samples import LIMIT_NAMES, order

NAMES = st.text("abcXYZ-_é1", min_size=1, max_size=20)
PRICES = st.integers(1, 10**12).map(lambda units: Decimal(units).scaleb(-4))
TIMES = st.integers(0, 4 * 10**18)
STANDINGS = st.frozensets(st.tuples(NAMES, st.sampled_from(Side)), max_size=4)
LIMITS = st.builds(RiskLimits, **dict.fromkeys(LIMIT_NAMES, st.none() | PRICES))


@st.composite
def orders(draw: st.DrawFn) -> Order:
    kind = draw(st.sampled_from(OrderType))
    tif = draw(st.sampled_from(TimeInForce))
    limited = kind in {OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED}
    trails = kind in {OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT}
    offset_types = st.sampled_from([TrailOffsetType.PRICE, TrailOffsetType.TICKS])
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
        trail_offset=draw(PRICES) if trails else None,
        trail_offset_type=draw(offset_types) if trails else None,
        limit_offset=draw(PRICES) if kind is OrderType.TRAILING_STOP_LIMIT else None,
        strategy_version=draw(st.integers(0, 2**32 - 1)),
        position_target=draw(st.none() | st.integers(-(10**12), 10**12).map(Decimal)),
        decided_ns=draw(st.none() | TIMES),
        tags=tuple(draw(st.lists(NAMES, max_size=3))),
    )


@given(orders())
def test_orders_round_trip(made: Order) -> None:
    message = orderpb.Order.FromString(order_to_proto(made).SerializeToString())
    assert order_from_proto(message) == made


@given(st.integers(1, 2**63 - 1), st.sampled_from(FenceState), st.sampled_from(EffectiveMode), LIMITS, STANDINGS)
def test_fences_round_trip(
    epoch: int, state: FenceState, mode: EffectiveMode, limits: RiskLimits, standings: Standings
) -> None:
    made = Fence("w1", epoch, state, mode, limits, standings)
    message = fence_to_proto(made, 0)
    assert message.HasField("limits") == (limits != UNLIMITED)
    assert fencepb.FenceState.Name(message.state) == f"FENCE_STATE_{state.name}"
    request = fenceservicepb.SetFenceRequest(
        world_id=message.world_id,
        fence_epoch=message.fence_epoch,
        state=message.state,
        effective_mode=message.effective_mode,
        limits=message.limits if message.HasField("limits") else None,
        standings=message.standings,
    )
    assert fence_from_proto(request) == made


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
    message = fenceservicepb.SetFenceRequest(
        world_id="w1",
        fence_epoch=1,
        state=fencepb.FENCE_STATE_OPEN,
        effective_mode=commonpb.EFFECTIVE_MODE_PAPER,
        limits=limitspb.RiskLimits(**{name: written}),
    )
    with pytest.raises(InvalidRequest) as caught:
        fence_from_proto(message)
    assert (caught.value.reason, caught.value.violations[0].field) == ("E_DECIMAL", f"limits.{name}")


@pytest.mark.parametrize(
    "names",
    [
        {f"DENIAL_{denial.name}" for denial in Denial} - set(orderpb.Denial.keys()),
        {f"ORDER_STATE_{state.name}" for state in OrderState}
        ^ (set(orderpb.OrderState.keys()) - {"ORDER_STATE_UNSPECIFIED"}),
        {f"ORDER_VIEW_{view.name}" for view in OrderView}
        ^ (set(orderpb.OrderView.keys()) - {"ORDER_VIEW_UNSPECIFIED"}),
        {f"ORDER_EVENT_KIND_{kind.name}" for kind in EventKind} - set(orderpb.OrderEventKind.keys()),
        {f"ORDER_TYPE_{kind.name}" for kind in OrderType}
        ^ (set(orderpb.OrderType.keys()) - {"ORDER_TYPE_UNSPECIFIED"}),
        {f"TIME_IN_FORCE_{tif.name}" for tif in TimeInForce} - set(orderpb.TimeInForce.keys()),
        {f"FILL_FLAG_{flag.name}" for flag in FillFlag} - set(orderpb.FillFlag.keys()),
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
        ("position_side", orderpb.POSITION_SIDE_LONG, "E_ENUM"),
        ("time_in_force", 0, "E_ENUM"),
        ("symbol", "", "E_FIELD"),
        ("strategy_id", "x" * 129, "E_FIELD"),
        ("list_id", "l1", "E_ORDER_MALFORMED"),
        ("trail_offset_type", 9, "E_ENUM"),
    ],
)
def test_bad_fields_are_refused_by_name(field: str, value: str | int, reason: str) -> None:
    message = order_to_proto(order("o1"))
    setattr(message, field, value)
    with pytest.raises(InvalidRequest) as caught:
        order_from_proto(message)
    assert caught.value.reason == reason
    assert caught.value.violations[0].field == f"order.{field}"


@pytest.mark.parametrize(
    "name", ["demotion-abc-AAPL-1", "Demotion-abc-AAPL-1", "flatten-x", "FLATTEN-x", "margin-call-AAPL-1-2"]
)
@pytest.mark.parametrize("listed", [False, True])
def test_no_client_takes_the_name_of_an_order_of_brokerages_own(name: str, listed: bool) -> None:
    message = order_to_proto(order(name))
    with pytest.raises(InvalidRequest, match="those are brokerage's own") as caught:
        orders_from_proto([message, message]) if listed else order_from_proto(message)
    assert (caught.value.reason, caught.value.violations[0].field) == ("E_NAME", "order.client_order_id")


@pytest.mark.parametrize("tag", [*sorted(OWN_TAGS), "NETTED", "netted", "Internal"])
def test_no_client_takes_a_tag_that_brokerage_decides_by(tag: str) -> None:
    """An open order with that of a margin call would hold up the account's own; what one with that of a netted order
    has reduced would be cut off the strategy's other exits. SQLite finds a tag whatever its case.
    """
    message = order_to_proto(order("o1", tags=("mine", tag)))
    for read in (order_from_proto, lambda one: listed_orders_from_proto([one])):
        with pytest.raises(InvalidRequest, match=f"order.tags is {tag}") as caught:
            read(message)
        assert caught.value.reason == "E_NAME"


def test_too_many_tags_are_refused() -> None:
    message = order_to_proto(order("o1", tags=tuple("abcdefghijklmnopq")))
    with pytest.raises(InvalidRequest, match="at most 16"):
        order_from_proto(message)


def test_a_fence_needs_an_epoch_and_known_words() -> None:
    good = {"world_id": "w1", "fence_epoch": 1, "state": "FENCE_STATE_OPEN", "effective_mode": "EFFECTIVE_MODE_PAPER"}
    assert fence_from_proto(fenceservicepb.SetFenceRequest(**good)).epoch == 1  # type: ignore[arg-type]  # names are enum values
    for change in (
        {"fence_epoch": 0},
        {"fence_epoch": 2**63},
        {"state": 0},
        {"effective_mode": 0},
        {"state": 9},
        {"world_id": ""},
    ):
        with pytest.raises(InvalidRequest):
            fence_from_proto(fenceservicepb.SetFenceRequest(**{**good, **change}))  # type: ignore[arg-type]  # as above


def test_an_order_without_a_gate_stamp_was_not_gated() -> None:
    with pytest.raises(InvalidRequest):
        gate_from_proto(orderentryservicepb.GateStamp())


def test_a_list_survives_its_message_and_one_of_it_is_no_single_order() -> None:
    sent = [order_to_proto(one) for one in bracket()]
    assert orders_from_proto(sent) == bracket()
    with pytest.raises(InvalidRequest, match="E_ORDER_MALFORMED"):
        order_from_proto(sent[0])
