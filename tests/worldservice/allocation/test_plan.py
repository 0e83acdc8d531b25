from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.errors import Exhausted, InvalidRequest, NotReady
from tests.worldservice.allocation.books import MARK, NOW, F, held, lots, planned, scaled, shares
from worldservice.allocation.domain.budgets import Budget
from worldservice.allocation.domain.legs import LegReason, Mark, check_marks, legs_of, reduces
from worldservice.allocation.domain.plan import Approach, Asked, Book, Rules, Standing, plan_of
from worldservice.allocation.domain.scaling import ExplicitScales, ScaleMode, ShareChange, ratio
from worldservice.allocation.domain.shares import Owner
from worldservice.allocation.domain.trading.constraints import Row, Terms, constraints_of
from worldservice.allocation.domain.trading.netting import Execution, Split, whole_steps
from worldservice.allocation.domain.trading.overlay import Proxy

A_DOWN = ShareChange(shares({"a": "0.3", "c": "0.2"}), shares({"a": "0.2", "c": "0.25"}))


def test_worked_example_of_two_worlds() -> None:
    book = [held("a/s1", "1"), held("c/s2", "-0.5")]
    plan = planned(book, A_DOWN, lots("0.001"), Execution.NETTED)
    assert [row.leg.delta for row in plan.legs] == [F(-1, 3), F(-1, 8)]
    (order,) = plan.orders
    assert order.quantity == F("-0.458")
    assert sum(order.shares) == -458
    assert [row.rounded for row in plan.legs] == [F("-0.333"), F("-0.125")]


def test_netted_is_rounded_once_where_legs_are_rounded_each() -> None:
    book = [held(f"a/s{i}", "1") for i in range(3)]
    each = planned(book, A_DOWN, lots("0.01"))
    netted = planned(book, A_DOWN, lots("0.01"), Execution.NETTED)
    assert sum(order.quantity for order in each.orders) == F("-0.99")
    assert [order.quantity for order in netted.orders] == [F("-1")]
    assert netted.orders[0].shares == (-33, -33, -34)


def test_lots_are_counted_in_fractions() -> None:
    assert int(0.29 / 0.01) == 28
    plan = planned([held("a/s", "0.29")], scaled(a="0"), lots("0.01"))
    assert plan.orders[0].shares == (-29,)


def test_world_bound_never_changes_less_than_the_world() -> None:
    change = ShareChange(shares({"a": "0.3"}, {"a/s": "0.20"}), shares({"a": "0.2"}, {"a/s": "0.15"}))
    owner = Owner("a", "s")
    assert change.of(owner, ScaleMode.EXACT).g - 1 == F(-1, 4)
    assert change.of(owner, ScaleMode.WORLD_BOUND).g - 1 == F(-1, 3)


def test_world_bound_raises_a_strategy_that_was_cut_and_warns() -> None:
    change = ShareChange(shares({"a": "0.2"}, {"a/s": "0.2"}), shares({"a": "0.4"}, {"a/s": "0.1"}))
    plan = planned([held("a/s", "1")], change, lots("0.01"), mode=ScaleMode.WORLD_BOUND)
    assert plan.legs[0].leg.scale.g == 2
    assert plan.warnings[0].startswith("AGAINST_OWN_SHARE: a/s BTC")


def test_scale_from_nothing() -> None:
    assert ratio(F(0), F(1, 2)) == 1
    assert ratio(F(0), F(0)) == 0
    assert ratio(F(1, 2), F(1, 4)) == F(1, 2)


def test_a_strategy_that_the_set_dropped_is_closed_and_one_never_named_follows_its_world() -> None:
    change = ShareChange(shares({"a": "0.4"}, {"a/gone": "0.2"}), shares({"a": "0.2"}))
    assert change.of(Owner("a", "gone"), ScaleMode.EXACT).g == 0
    assert change.of(Owner("a", "other"), ScaleMode.EXACT).g == F(1, 2)
    joined = ShareChange(shares({"a": "0.4"}), shares({"a": "0.2"}, {"a/new": "0.1"}))
    assert joined.of(Owner("a", "new"), ScaleMode.EXACT).g == 1
    kept = ShareChange(shares({"a": "0.4"}, {"a/s": "0.2"}), shares({"a": "0.2"}, {"a/s": "0.2"}))
    assert kept.of(Owner("a", "s"), ScaleMode.EXACT).g == 1


@pytest.mark.parametrize(
    ("quantity", "delta", "only"),
    [
        ("1", "-0.4", True),
        ("-1", "0.4", True),
        ("-1", "1", True),
        ("1", "-1.1", False),
        ("1", "0.1", False),
        ("0", "1", False),
    ],
)
def test_reduce_only_is_by_position_and_not_by_side(quantity: str, delta: str, only: bool) -> None:
    assert reduces(F(quantity), F(delta)) is only


def test_constraints_merge_field_by_field_and_later_wins() -> None:
    rows = [
        Row("", "", Terms(lot=F("0.01"), notional_min=F(10))),
        Row("", "BTC", Terms(lot=F("0.1"))),
        Row("x", "", Terms(notional_min=F(20))),
        Row("x", "BTC", Terms(quantity_min=F(1))),
    ]
    found = constraints_of(rows, {("x", "BTC"): Terms(lot=F("0.001"), quantity_min=F("0.001"))})
    assert found.of("x", "BTC") == Terms(F("0.1"), F(1), F(20))
    assert found.of("y", "BTC") == Terms(F("0.1"), None, F(10))
    assert found.of("y", "ETH") == Terms(F("0.01"), None, F(10))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([Row("", "A", Terms(canonical="B")), Row("", "B", Terms(canonical="A"))], "E_CONSTRAINT"),
        ([Row("", "", Terms(canonical="B"))], "E_CONSTRAINT"),
        ([Row("", "A", Terms(lot=F(0)))], "E_CONSTRAINT"),
        ([Row("", "A", Terms(notional_min=F(-1)))], "E_CONSTRAINT"),
        ([Row("paper", "A", Terms(lot=F("0.0015")))], "E_CONSTRAINT"),
        ([Row("", "A", Terms()), Row("", "A", Terms())], "E_DUPLICATE_KEY"),
    ],
)
def test_constraints_that_are_refused(rows: list[Row], reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        constraints_of(rows, {("paper", "A"): Terms(lot=F("0.001"))})
    assert refused.value.reason == reason


def test_an_alias_goes_one_hop() -> None:
    rows = [Row("", "A", Terms(canonical="B")), Row("", "B", Terms(canonical="C"))]
    assert constraints_of(rows, {}).canonical("x", "A") == "B"


def test_too_many_symbols_of_constraints() -> None:
    with pytest.raises(Exhausted, match="want at most 500 symbols"):
        constraints_of([Row("", f"S{i}", Terms()) for i in range(501)], {})


def test_aliased_positions_are_one_leg() -> None:
    constraints = constraints_of([Row("", "XBT", Terms(canonical="BTC")), Row("", "", Terms(lot=F("0.1")))], {})
    plan = planned([held("a/s", "1", "XBT"), held("a/s", "1", "BTC")], scaled(a="0.5"), constraints)
    (row,) = plan.legs
    assert (row.leg.symbol, row.rounded, row.reasons) == ("BTC", F(-1), (LegReason.SYMBOL_ALIASED,))


@pytest.mark.parametrize(
    ("lot", "more", "reason"),
    [
        ("1", {}, LegReason.BELOW_LOT),
        ("0.1", {"quantity_min": "0.6"}, LegReason.BELOW_MIN_QUANTITY),
        ("0.1", {"notional_min": "30001"}, LegReason.BELOW_MIN_NOTIONAL),
        ("0.5", {"order_notional_max": "29999"}, LegReason.BELOW_LOT),
    ],
)
@pytest.mark.parametrize("execution", list(Execution))
def test_dropped_legs_say_why(lot: str, more: dict[str, str], reason: LegReason, execution: Execution) -> None:
    plan = planned([held("a/s", "1")], scaled(a="0.5"), lots(lot, **more), execution)
    assert [row.reasons for row in plan.dropped] == [(reason,)]
    assert plan.orders == ()


def test_bounds_that_are_met_exactly_pass() -> None:
    plan = planned(
        [held("a/s", "1")],
        scaled(a="0.5"),
        lots("0.5", quantity_min="0.5", notional_min="30000", order_notional_max="30000"),
    )
    assert [order.slices for order in plan.orders] == [(F("-0.5"),)]


def test_an_order_above_the_cap_is_sliced_evenly() -> None:
    plan = planned([held("a/s", "1")], scaled(a="0"), lots("0.1", order_notional_max="18000"))
    assert plan.legs[0].reasons == (LegReason.SLICED,)
    assert [float(each) for each in plan.orders[0].slices] == [-0.3, -0.3, -0.2, -0.2]


def test_a_pace_of_equal_slices() -> None:
    split = Split((F(2, 3), F(1, 3), F(0)))
    plan = planned([held("a/s", "1")], scaled(a="0"), lots("0.1"), split=split)
    assert sum(plan.orders[0].slices) == -1
    assert [float(each) for each in plan.orders[0].slices] == [-0.3, -0.3, -0.4]


def test_within_the_band_nothing_is_traded() -> None:
    plan = planned([held("a/s", "1")], scaled(a="0.9"), lots("0.01"), band=F("0.1"))
    assert plan.dropped[0].reasons == (LegReason.WITHIN_BAND,)
    assert planned([held("a/s", "1")], scaled(a="0.89"), lots("0.01"), band=F("0.1")).dropped == ()


def test_reducing_orders_go_first() -> None:
    plan = planned([held("a/s", "1"), held("b/s", "1")], scaled(a="2", b="0.5"), lots("0.1"))
    assert [(order.quantity, order.reduce_only) for order in plan.orders] == [(F("-0.5"), True), (F(1), False)]


def _with_rules(rules: Rules, scales: ExplicitScales, quantity: str = "1") -> tuple[LegReason, ...]:
    book = Book("main", 1, F(1_000_000), (held("a/s", quantity),))
    return plan_of(book, Asked("asked", scales, {}), rules, NOW).legs[0].reasons


def test_increasing_legs_need_an_active_entry_and_an_open_fence() -> None:
    owner, more, less = Owner("a", "s"), scaled(a="2"), scaled(a="0.5")
    assert _with_rules(Rules(lots("0.1")), more) == (LegReason.NOT_ACTIVE,)
    assert _with_rules(Rules(lots("0.1"), {(owner, 1): Standing.FENCED}), more) == (LegReason.FENCED,)
    assert _with_rules(Rules(lots("0.1"), {(owner, 1): Standing.OPEN}), more) == ()
    assert _with_rules(Rules(lots("0.1"), {(owner, 1): Standing.OPEN}), more, "-1") == (LegReason.NOT_ACTIVE,)
    assert _with_rules(Rules(lots("0.1")), less) == ()


@pytest.mark.parametrize("strategy", ["", "s"])
def test_a_leg_above_a_budget_is_dropped(strategy: str) -> None:
    rules = Rules(lots("0.1"), {(Owner("a", "s"), 1): Standing.OPEN}, (Budget("a", strategy, F(119_999), F(60_000)),))
    assert _with_rules(rules, scaled(a="2")) == (LegReason.OVER_BUDGET,)
    asked = Asked("{}", scaled(a="2", b="0.5"), {}, execution=Execution.NETTED)
    netted = plan_of(Book("acc", 1, F(10**6), (held("a/s", "1"), held("b/t", "1"))), asked, rules, NOW)
    assert [(row.leg.owner.world_id, row.reasons) for row in netted.legs if row.is_dropped] == [
        ("a", (LegReason.OVER_BUDGET,))
    ]
    assert [order.quantity for order in netted.orders] == [F("-0.5")], "it denies nobody else's share"
    whose = "a/s" if strategy else "world a"
    assert f"OVER_BUDGET: a/s BTC: the gross exposure that fits is, of {whose} at most 119999" in netted.warnings
    enough = replace(rules, budgets=(Budget("a", strategy, F(120_000), F(60_000)),))
    assert _with_rules(enough, scaled(a="2")) == ()
    assert _with_rules(rules, scaled(a="0.5")) == ()


def test_above_a_budget_only_what_adds_is_dropped_for_it() -> None:
    budget = (Budget("a", "s", F(50_000), F(25_000)),)  # 60,000 are held
    rules = Rules(lots("0.1"), {(Owner("a", "s"), 1): Standing.OPEN}, budget)
    assert _with_rules(rules, scaled(a="1.05")) == (LegReason.BELOW_LOT,), "nothing is traded of it: it adds nothing"
    assert _with_rules(rules, scaled(a="1.1")) == (LegReason.OVER_BUDGET,)
    assert _with_rules(rules, scaled(a="0.9")) == (), "it is above its budget afterwards too, and reduces"
    fine = replace(rules, constraints=lots("0.00001"))
    assert _with_rules(fine, scaled(a="1.00001")) == (LegReason.OVER_BUDGET,), "by less than a dollar"


def test_what_a_world_gives_up_makes_room_in_its_budget_for_what_it_adds() -> None:
    rows = (held("a/adds", "1"), held("a/gives", "1"))  # 120,000 together, which is the budget
    rules = Rules(lots("0.1"), {(Owner("a", "adds"), 1): Standing.OPEN}, (Budget("a", "", F(120_000), F(60_000)),))
    scales = ExplicitScales({}, {Owner("a", "adds"): F("1.5"), Owner("a", "gives"): F("0.5")})
    found = plan_of(Book("acc", 1, F(10**6), rows), Asked("{}", scales, {}), rules, NOW)
    assert [(row.leg.owner.strategy_id, row.rounded) for row in found.legs] == [
        ("adds", F("0.5")),
        ("gives", F("-0.5")),
    ]


def test_no_plan_on_half_a_book() -> None:
    old = Mark(F(1), F(1), NOW - timedelta(minutes=16))
    with pytest.raises(NotReady, match="no mark of ETH, SOL") as missing:
        planned([held("a/s", "1", "SOL", None), held("a/s", "1", "ETH", None)], scaled(), lots("1"))
    assert missing.value.reason == "E_MARK_MISSING"
    with pytest.raises(NotReady, match="older than 0:15:00 of SOL \\(") as stale:
        planned([held("a/s", "1", "SOL", old), held("a/s", "1")], scaled(), lots("1"))
    assert stale.value.reason == "E_MARK_STALE"
    planned([held("a/s", "0", "SOL", None)], scaled(a="0.5"), lots("0.01"))
    check_marks([("SOL", old)], NOW, timedelta(minutes=16))


def test_a_plan_is_valid_for_an_hour_at_most() -> None:
    with pytest.raises(InvalidRequest, match="valid_for"):
        planned([], scaled(), lots("1"), valid_for=timedelta(hours=1, seconds=1))
    assert planned([], scaled(), lots("1")).valid_until == NOW + timedelta(minutes=5)


def test_totals_before_and_after() -> None:
    book = Book("main", 1, F(100_000), (held("a/s", "1"), held("b/s", "-0.5")), F(40_000), F(40_000), F(10_000))
    asked = Asked("asked", scaled(a="0.5"), {})
    plan = plan_of(book, asked, Rules(lots("0.1")), NOW)
    assert (plan.before.gross, plan.before.net, plan.before.headroom) == (F(90_000), F(30_000), F(6, 10))
    assert (plan.after.gross, plan.after.net) == (F(60_000), F(0))
    assert plan.after.headroom == 1 - F(40_000) * F(2, 3) / 100_000
    assert [each.partition(":")[0] for each in plan.warnings] == ["COST_UNKNOWN", "GROSS_ABOVE_LIMIT"]


def test_headroom_is_of_used_margin_and_not_of_net_exposure() -> None:
    book = Book("main", 1, F(100_000), (held("a/s", "1"), held("a/t", "-1")), F(95_000))
    plan = plan_of(book, Asked("asked", scaled(b="1"), {}), Rules(lots("0.1")), NOW)
    assert plan.after.net == 0
    assert plan.warnings == ("HEADROOM_LOW: less than a tenth of equity is free of margin after the plan",)


def test_the_hash_is_of_what_would_be_traded() -> None:
    book = [held("a/s", "1")]
    first = planned(book, scaled(a="0.5"), lots("0.1"))
    dearer = [held("a/s", "1", mark=Mark(F(61_000), F(1), NOW))]
    assert planned(dearer, scaled(a="0.5"), lots("0.1")).plan_hash == first.plan_hash
    assert planned([held("a/s", "1.2")], scaled(a="0.5"), lots("0.1")).plan_hash != first.plan_hash
    assert planned(book, scaled(a="0.4"), lots("0.1")).plan_hash != first.plan_hash
    assert planned(book, scaled(a="0.5"), lots("0.1"), Execution.NETTED).plan_hash != first.plan_hash


def test_too_many_legs() -> None:
    rows = [held(f"a/s{i % 3}", "1", f"S{i}") for i in range(10_001)]
    with pytest.raises(Exhausted, match="10001 legs"):
        planned(rows, scaled(a="0"), lots("1"))


quantities = st.integers(-300, 300).map(lambda n: Fraction(n, 100))
scales = st.fractions(0, 3, max_denominator=12)
positions = st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from(["BTC", "ETH"]), quantities)
books = st.lists(positions, max_size=8, unique_by=lambda row: row[:3])


@settings(max_examples=25, deadline=None)
@given(books, st.dictionaries(st.sampled_from("abc"), scales), st.randoms(), st.sampled_from(["0.01", "0.03", "0.5"]))
def test_a_plan_is_pure_and_its_legs_never_cross_zero(rows, worlds, random, lot) -> None:  # type: ignore[no-untyped-def]
    book = [held(f"{world}/{strategy}", str(quantity), symbol) for world, strategy, symbol, quantity in rows]
    for execution in Execution:
        plan = planned(book, ExplicitScales(worlds), lots(lot), execution)
        mixed = list(book)
        random.shuffle(mixed)
        assert planned(mixed, ExplicitScales(worlds), lots(lot), execution) == plan
        for row in plan.legs:
            g, after = worlds[row.leg.owner.world_id], row.leg.quantity + row.rounded
            assert g != 1
            assert after * row.leg.quantity >= 0
            assert abs(row.rounded - row.leg.delta) < Fraction(lot)
            assert row.leg.reduce_only is (g < 1)
            if g < 1:
                assert abs(after) <= abs(row.leg.quantity)
        assert sum((order.quantity for order in plan.orders), F(0)) == sum((row.rounded for row in plan.legs), F(0))
        for order in plan.orders:
            assert sum(order.slices, F(0)) == order.quantity == sum(order.shares) * order.lot


def test_netted_and_per_world_end_within_a_lot_of_each_other() -> None:
    rows = [held("a/s1", "0.337"), held("a/s2", "-0.125"), held("b/s3", "2.501")]
    each = planned(rows, scaled(a="0.37", b="1.61"), lots("0.01"))
    netted = planned(rows, scaled(a="0.37", b="1.61"), lots("0.01"), Execution.NETTED)
    for one, other in zip(each.legs, netted.legs, strict=True):
        assert one.leg == other.leg
        assert abs(one.rounded - other.rounded) <= F("0.01")


@pytest.mark.parametrize(
    ("deltas", "held_steps", "steps"),
    [
        (["-3.5", "-3.5"], ["3.5", "3.5"], [-3, -3]),
        (["-0.5"], ["0.5"], [0]),
        (["1.5", "1.5", "0.25"], ["1", "1", "1"], [2, 1, 0]),
        (["-1.5", "2.25"], ["3", "9"], [-2, 2]),
        (["1.25", "-1.25"], ["9", "9"], [1, -1]),
    ],
)
def test_whole_steps(deltas: list[str], held_steps: list[str], steps: list[int]) -> None:
    assert whole_steps([F(each) for each in deltas], [F(each) for each in held_steps]) == steps


def test_an_overlay_leaves_the_book_and_hedges_the_world() -> None:
    rows = [held("a/s", "2", "ETH", Mark(F(3_000), F(1), NOW)), held("a/t", "1")]
    proxy = Proxy("paper", "BTC-FUT", Mark(F(60_000), F("0.1"), NOW))
    more = {"approach": Approach.OVERLAY, "changes": {"a": F(1, 2)}, "proxies": {"a": proxy}}
    book = Book("main", 1, F(1_000_000), tuple(rows))
    asked = Asked("asked", scaled(a="0.5"), **more)  # type: ignore[arg-type]
    plan = plan_of(book, asked, Rules(lots("0.1"), {(Owner("a", "@overlay"), -1): Standing.OPEN}), NOW)
    (row,) = plan.legs
    assert (row.leg.owner, row.leg.symbol, row.leg.delta) == (("a", "@overlay"), "BTC-FUT", F(-33_000) / 6_000)
    assert row.rounded == F("-5.5")
    assert legs_of(rows, scaled(a="1"), ScaleMode.EXACT) == []
    assert MARK.value == 60_000


def test_an_order_of_all_that_one_may_be_is_not_sliced() -> None:
    whole = planned([held("a/s", "1")], scaled(a="0"), lots("0.1", order_notional_max="60000"))
    assert [row.reasons for row in whole.legs] == [()]
    cut = planned([held("a/s", "1")], scaled(a="0"), lots("0.1", order_notional_max="59999"))
    assert [row.reasons for row in cut.legs] == [(LegReason.SLICED,)]
    assert [len(order.slices) for order in cut.orders] == [2]


def test_the_account_is_warned_beyond_its_limits_and_not_at_them() -> None:
    def said(gross_max: int, net_max: int, margin: int) -> list[str]:
        book = Book("main", 7, F(100_000), (held("a/s", "2"),), F(margin), F(gross_max), F(net_max))
        asked = Asked("asked", scaled(a="0.5"), {})
        plan = plan_of(book, asked, Rules(lots("0.1")), NOW)
        return [name for warning in plan.warnings if (name := warning.partition(":")[0]) != "COST_UNKNOWN"]

    assert said(60_000, 60_000, 180_000) == []
    assert said(59_999, 60_000, 180_000) == ["GROSS_ABOVE_LIMIT"]
    assert said(60_000, 59_999, 180_000) == ["NET_ABOVE_LIMIT"]
    assert said(60_000, 60_000, 180_001) == ["HEADROOM_LOW"]
