from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.rebalancing.domain import (
    End,
    Filled,
    LegOrder,
    LegPart,
    NettedOrder,
    end_of,
    is_asked_again,
    limit_price,
    order_id,
    position_target,
    reasons_of,
)
from gateway.rebalancing.wire import progress_to_proto, shares_to_proto, trades_of
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from qmtl.world.v1 import rebalance_progress_service_pb2 as progressservicepb

D = Decimal
SELLS = LegOrder(0, "w1", "s1", "BTC", (D("-0.2"), D("-0.1")), True, D("0.7"))
BUYS = LegOrder(2, "w1", "s2", "BTC", (D("0.5"),), False, D("1.5"))


def test_an_order_is_named_by_its_place_in_the_plan() -> None:
    assert order_id("cut-w1", 3, 0, 2) == "rb-cut-w1-3-0-2"


def test_a_gate_that_does_not_know_yet_is_asked_again_for_half_a_minute() -> None:
    assert is_asked_again("GATE_ACTIVATION_UNKNOWN", 29.9)
    assert is_asked_again("GATE_ACTIVATION_STALE", 0.0)
    assert not is_asked_again("GATE_ACTIVATION_UNKNOWN", 30.0)
    assert not any(is_asked_again(name, 0.0) for name in ("", "FENCED", "GATE_FROZEN", "GATE_SESSION_LAPSED"))


@pytest.mark.parametrize(
    ("mark", "tick", "buys", "limit"),
    [
        ("60000", "0.01", False, "59880.00"),
        ("60000", "0.01", True, "60120.00"),
        ("100.003", "0.05", True, "100.20"),
        ("100.003", "0.05", False, "99.85"),
        ("0.01", "0.05", False, "0.05"),
    ],
)
def test_a_limit_is_a_tick_within_twenty_basis_points(mark: str, tick: str, buys: bool, limit: str) -> None:
    assert limit_price(D(mark), D(tick), buys=buys) == D(limit)


def test_a_request_may_let_limits_lie_farther() -> None:
    assert limit_price(D(60_000), D("0.01"), buys=True, slippage_bps=D("100.5")) == D("60603.00")


@pytest.mark.parametrize("weight", ["1", "0.8", "0.3", "0.07"])
@pytest.mark.parametrize("target", ["1.5", "-1.5", "0.001"])
def test_a_target_before_scaling_is_not_below_the_target_after(target: str, weight: str) -> None:
    asked = position_target(D(target), D(weight), D("0.001"), 8)
    assert asked is not None
    assert asked * D(target) > 0
    assert asked == round(asked, 8)
    assert 0 <= abs(asked * D(weight)) - abs(D(target)) < D("1e-8")


def test_a_target_finer_than_a_lot_is_raised_to_one() -> None:
    assert position_target(D("2.0003"), D(1), D("0.001"), 8) == D("2.001")
    assert position_target(D("-2.0003"), D(1), D("0.001"), 8) == D("-2.001")


def test_a_weight_of_nothing_has_no_target() -> None:
    assert position_target(D(1), D(0), D(1), 8) is None


def test_fills_add_up() -> None:
    found = Filled().with_order(D("0.2"), D(100), {"USD": D("0.1")}).with_order(D("0.1"), D(110), {"USD": D("0.2")})
    assert (found.quantity, found.notional, dict(found.fees)) == (D("0.3"), D(31), {"USD": D("0.3")})


def test_a_run_is_complete_when_every_leg_is_filled_to_the_step() -> None:
    whole = {0: Filled(D("0.3")), 2: Filled(D("0.5"))}
    assert end_of([SELLS, BUYS], whole, canceled=False) is End.COMPLETED
    assert end_of([SELLS, BUYS], whole, canceled=True) is End.CANCELED
    assert end_of([SELLS, BUYS], {**whole, 2: Filled(D("0.49"))}, canceled=False) is End.PARTIAL
    assert end_of([SELLS, BUYS], {0: Filled(D("0.3"))}, canceled=False) is End.PARTIAL


def test_legs_that_stopped_short_say_why() -> None:
    filled = {0: Filled(D("0.3"), reason="not told")}
    assert reasons_of([SELLS, BUYS], filled) == ["leg 2 w1/s2 BTC: NOT_SENT"]
    assert reasons_of([SELLS, BUYS], {2: Filled(D("0.1"), reason="NOT_FILLED: 0.4 missing")}) == [
        "leg 0 w1/s1 BTC: NOT_SENT",
        "leg 2 w1/s2 BTC: NOT_FILLED: 0.4 missing",
    ]
    assert reasons_of([SELLS, BUYS], {}, most=1) == ["and 2 legs more"]
    many = [replace(SELLS, leg=leg) for leg in range(103)]
    told = reasons_of(many, {0: Filled(reason="x" * 1_000)})
    assert (len(told), told[98:]) == (100, ["leg 98 w1/s1 BTC: NOT_SENT", "and 4 legs more"])
    assert (len(told[0]), told[0][-5:]) == (500, "xx...")


@pytest.mark.parametrize("count", [2, 10_000])
def test_a_report_of_as_many_legs_as_a_plan_may_have_fits_in_a_request(count: int) -> None:
    legs = [rebalancepb.RebalanceLeg(rounded="-0.12345678")] * count
    fees = {"USDT": D("1.034512345678"), "BNB": D("0.00012345")}
    reason = "NOT_FILLED: 0.02 missing after 3 tries, the last CANCELED: é" + "y" * 400
    filled = {leg: Filled(D("0.10345678"), D("345.12345678901234"), fees, reason) for leg in range(count)}
    told = progress_to_proto(legs, filled)
    assert progressservicepb.ReportRebalanceRequest(progress=told).ByteSize() < 1_000_000
    assert (told[-1].filled, told[-1].notional) == ("-0.10345678", "-345.12345678901234")
    assert dict(told[-1].fees) == {"USDT": "1.034512345678", "BNB": "0.00012345"}
    assert told[-1].reason == reason if count == 2 else told[-1].reason.endswith("...")
    assert told[-1].reason[:7] == reason[:7]


def netted(*steps: int, slices: tuple[str, ...] = ("0.8",)) -> NettedOrder:
    """Legs in steps of .001."""
    parts = [LegPart(n, "w1", f"s{n}", step * D("0.001"), step < 0) for n, step in enumerate(steps)]
    return NettedOrder("BTC", tuple(map(D, slices)), D("0.001"), False, tuple(parts))


def test_slices_of_a_netted_order_are_whole_steps_of_each_leg() -> None:
    order = netted(1_000, -400, 200, slices=("0.3", "0.001", "0.499"))
    taken = [{part.leg: part.quantity for part in order.slice_parts(n)} for n in range(3)]
    assert taken[0] == {0: D("0.375"), 1: D("-0.150"), 2: D("0.075")}
    assert [sum(each.values()) for each in taken] == [D("0.3"), D("0.001"), D("0.499")]
    assert [sum(each.get(leg, D(0)) for each in taken) for leg in range(3)] == [D(1), D("-0.4"), D("0.2")]
    crossing = netted(300, -300, slices=("0",))
    assert crossing.slice_parts(0) == crossing.parts


def test_what_a_netted_order_traded_is_told_by_leg() -> None:
    order = netted(1_000, -400, 200)
    status = orderpb.OrderStatus(order=orderpb.Order(shares=shares_to_proto(order.parts)), cumulative_quantity="0.3")
    status.share_fills.add(world_id="w1", strategy_id="s0", quantity="0.375", notional="22511.25", fees={"USD": "5"})
    status.share_fills.add(world_id="w1", strategy_id="s1", quantity="-0.15", notional="-9004.5", fees={"USD": "2"})
    found = trades_of(status, order.parts)
    assert [(each.quantity, each.notional) for each in found] == [
        (D("0.375"), D("22511.25")), (D("-0.15"), D("-9004.5")), (D(0), D(0)),
    ]  # fmt: skip
    crossed = orderpb.OrderStatus(view=orderpb.ORDER_VIEW_FILLED, cumulative_quantity="0.3", average_price="60000")
    assert [each.notional for each in trades_of(crossed, netted(300, -300).parts)] == [18_000, -18_000]
    denied = orderpb.OrderStatus(view=orderpb.ORDER_VIEW_DENIED)
    assert [each.quantity for each in trades_of(denied, netted(300, -300).parts)] == [0, 0]


def test_a_netted_run_is_complete_once_every_leg_is() -> None:
    order = netted(1_000, -400, 200)
    filled = {0: Filled(D(1)), 1: Filled(D("0.4")), 2: Filled(D("0.2"))}
    assert end_of([order], filled, canceled=False) is End.COMPLETED
    short = {**filled, 1: Filled(D("0.399"), reason="FENCED: x")}
    assert end_of([order], short, canceled=False) is End.PARTIAL
    assert reasons_of([order], short) == ["leg 1 w1/s1 BTC: FENCED: x"]
