"""Overlay and hybrid: what a hedge reaches, that it crosses nothing, what it may use and what it leaves undone."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest, NotReady
from tests.worldservice.allocation.books import MARK, NOW, F, held, lots, scaled, shares
from worldservice.allocation.domain.budgets import Budget, budgets_of
from worldservice.allocation.domain.legs import Held, LegReason, Mark
from worldservice.allocation.domain.plan import Approach, Asked, Book, Plan, Rules, Standing, plan_of
from worldservice.allocation.domain.scaling import ScaleMode, ShareChange
from worldservice.allocation.domain.shares import OVERLAY, Owner, Terms, check_known, check_shares
from worldservice.allocation.domain.trading.cost import Market
from worldservice.allocation.domain.trading.netting import Execution
from worldservice.allocation.domain.trading.overlay import Proxy

LOT = F("0.01")
FUT = Mark(F(6_000), F(1), NOW)
PROXIES = {"a": Proxy("paper", "FUT", FUT), "b": Proxy("paper", "FUT-B", FUT)}
DEAR = Market(Decimal("0.02"), None, beta=Decimal("1.25"), correlation=Decimal("0.9"))
HEDGE = Owner("a", OVERLAY)


def plan(
    rows: list[Held],
    approach: Approach,
    *,
    budgets: tuple[Budget, ...] = (),
    execution: Execution = Execution.PER_WORLD,
    **g: str,
) -> Plan:
    """A plan of worlds' scales; everybody may take new risk."""
    owners = {*(each.owner for each in rows), *(Owner(world, OVERLAY) for world in PROXIES)}
    asked = Asked(
        "asked", scaled(**g), {world: F(value) for world, value in g.items()}, execution=execution, approach=approach,
        proxies=PROXIES, markets={"BTC": DEAR, "ETH": replace(DEAR, daily_volume=Decimal(10**9))},
    )  # fmt: skip
    standing = {(owner, side): Standing.OPEN for owner in owners for side in (1, -1)}
    return plan_of(Book("main", 1, F(10**9), tuple(rows)), asked, Rules(lots("0.01"), standing, budgets), NOW)


def notional(rows: list[Held], traded: Plan | None = None) -> Fraction:
    """Of world a at its marks, with what a plan trades."""
    found = sum((each.quantity * each.mark.value for each in rows if each.mark), F(0))
    return found + sum(row.rounded * row.leg.mark.value for row in traded.legs) if traded else found


steps = st.integers(-400, 400).map(lambda n: str(Decimal(n).scaleb(-2)))
factors = st.sampled_from(["0", "0.25", "0.5", "0.9", "1", "1.1", "2", "3.5"])


@given(st.lists(steps, min_size=1, max_size=4), steps, factors, st.sampled_from(Execution))
@settings(max_examples=60)
def test_an_overlay_reaches_the_scale_within_a_lot_or_ends_at_zero_and_says_what_is_left(
    quantities: list[str], hedged: str, g: str, execution: Execution
) -> None:
    rows = [held(f"a/s{n}", quantity) for n, quantity in enumerate(quantities)]
    rows.append(held(f"a/{OVERLAY}", hedged, "FUT", FUT))
    found = plan(rows, Approach.OVERLAY, execution=execution, a=g)
    before, after = notional(rows), notional(rows, found)
    assert all(row.leg.owner == HEDGE for row in found.legs), "the book stays"
    for row in found.legs:
        ends = row.leg.quantity + row.rounded
        assert ends * row.leg.quantity >= 0, "it crosses nothing"
        assert row.reduce_only == (bool(row.leg.quantity) and abs(ends) <= abs(row.leg.quantity))
        if LegReason.HEDGE_AT_ZERO in row.reasons:
            assert ends == 0
            assert abs(before) < abs(after) < abs(before * F(g)) or abs(before) > abs(after) > abs(before * F(g))
            (said,) = [each for each in found.warnings if each.startswith("HEDGE_AT_ZERO")]
            rest = F(said.partition("scale a by ")[2].partition(" ")[0])
            assert abs(after * rest - before * F(g)) <= abs(after) / 10**8
        else:
            assert abs(after - before * F(g)) < LOT * FUT.value
    if g == "1" or not before:
        assert (found.legs, found.orders) == ((), ())
    else:
        assert len(found.legs) == 1
    again = plan(rows[::-1], Approach.OVERLAY, execution=execution, a=g)
    assert (again.legs, again.plan_hash) == (found.legs, found.plan_hash), "the order of rows does not matter"


@given(steps, steps, steps, factors)
@settings(max_examples=40)
def test_a_hybrid_scales_the_cheap_and_hedges_the_dear_by_beta(dear: str, cheap: str, hedged: str, g: str) -> None:
    rows = [held("a/s", dear), held("a/t", cheap, "ETH"), held(f"a/{OVERLAY}", hedged, "FUT", FUT)]
    found = plan(rows, Approach.HYBRID, a=g)
    by_owner = {row.leg.owner: row for row in found.legs}
    assert Owner("a", "s") not in by_owner, "dear: it stays"
    if F(cheap) and g != "1":
        assert by_owner[Owner("a", "t")].leg.delta == F(cheap) * (F(g) - 1)
    want = (F(dear) * MARK.value * F("1.25") + F(hedged) * FUT.value) * (F(g) - 1) / FUT.value
    if HEDGE not in by_owner:
        assert want == 0
        return
    row = by_owner[HEDGE]
    if LegReason.HEDGE_AT_ZERO in row.reasons:
        assert row.leg.delta == -F(hedged)
        assert F(hedged) * (F(hedged) + want) < 0
    else:
        assert row.leg.delta == want
    assert len(by_owner) == len(found.legs), "one leg of each"
    assert not [each for each in found.warnings if each.startswith("CLOSES")]


def test_a_hedge_that_reduces_goes_first_and_one_that_adds_last() -> None:
    rows = [held("a/s", "2", "ETH"), held(f"a/{OVERLAY}", "-3", "FUT", FUT), held("b/s", "4")]
    found = plan(rows, Approach.HYBRID, a="0.5", b="2")
    assert [(row.leg.owner, row.leg.delta, row.reduce_only) for row in found.legs] == [
        (HEDGE, F("1.5"), True), (Owner("a", "s"), F(-1), True), (Owner("b", OVERLAY), F(50), False),
    ]  # fmt: skip
    assert [order.reduce_only for order in found.orders] == [True, True, False]


def test_what_a_hybrid_leaves_undone_counts_the_positions_that_it_scales() -> None:
    rows = [held("a/s", "1"), held("a/t", "2", "ETH"), held(f"a/{OVERLAY}", "1", "FUT", FUT)]  # 60,000, 120,000, 6,000
    found = plan(rows, Approach.HYBRID, a="0.5")
    assert [(row.leg.symbol, row.rounded) for row in found.legs] == [("FUT", F(-1)), ("ETH", F(-1))]
    (said,) = [each for each in found.warnings if each.startswith("HEDGE_AT_ZERO")]
    assert "scale a by 0.775 then" in said  # 93,000 of the 120,000 that stay


def test_a_world_whose_change_is_within_the_band_is_not_hedged() -> None:
    rows = [held("a/s", "1")]
    book, asked = Book("main", 1, F(10**6), tuple(rows)), Asked("asked", scaled(a="0.9"), {"a": F("0.9")})
    asked = replace(asked, approach=Approach.OVERLAY, proxies=PROXIES, band=F("0.1"))
    (row,) = plan_of(book, asked, Rules(lots("0.01")), NOW).legs
    assert (row.is_dropped, row.reasons) == (True, (LegReason.WITHIN_BAND,))


def test_a_hedge_has_a_budget_of_its_own_and_none_without_a_share() -> None:
    rows = [held("a/s", "2")]  # 120,000
    own = (Budget("a", "", F(100_000), F(0)), Budget("a", OVERLAY, F(60_000), F(0)))
    (row,) = plan(rows, Approach.OVERLAY, budgets=own, a="0.5").legs
    assert row.rounded == -10, "what its world has used does not count"
    for budgets, why in (
        (
            (*own[:1], replace(own[1], gross_max=F(59_999))),
            f"the gross exposure that fits is, of a/{OVERLAY} at most 59999",
        ),
        (own[:1], "without a share its budget is 0"),
    ):
        found = plan(rows, Approach.OVERLAY, budgets=budgets, a="0.5")
        (row,) = found.legs
        assert (row.is_dropped, row.reasons) == (True, (LegReason.OVER_BUDGET,))
        assert f"OVER_BUDGET: a/{OVERLAY} FUT: {why}" in found.warnings
    rows.append(held(f"a/{OVERLAY}", "-10", "FUT", FUT))
    (row,) = plan(rows, Approach.OVERLAY, budgets=own[:1], a="1.25").legs
    assert (row.rounded, row.reduce_only) == (F("2.5"), True), "what reduces passes"


def test_strategies_whose_own_shares_change_otherwise_are_named() -> None:
    change = ShareChange(shares({"a": "0.4"}, {"a/s": "0.2"}), shares({"a": "0.2"}, {"a/s": "0.2"}))
    asked = Asked("asked", change, {"a": F("0.5")}, approach=Approach.OVERLAY, proxies=PROXIES)
    rows = (held("a/s", "1"), held("a/t", "1"), held("b/t", "1"))
    found = plan_of(Book("main", 1, F(10**6), rows), asked, Rules(lots("0.01")), NOW)
    assert "WORLD_ONLY: hedged by the change of its world, not by its own: a/s" in found.warnings


def test_a_hedge_scales_with_its_world_whatever_its_own_share_does() -> None:
    before = shares({"a": "0.4"}, {f"a/{OVERLAY}": "0.2"})
    change = ShareChange(before, shares({"a": "0.2"}))
    assert change.of(HEDGE, ScaleMode.EXACT).g == F(1, 2)
    assert change.left_out(HEDGE) == ""
    assert ShareChange(before, shares({})).left_out(HEDGE) == "a"


def test_the_share_of_a_hedge_stands_beside_the_worlds() -> None:
    whole = shares({"a": "0.5", "b": "0.3"}, {"a/s": "0.5", f"a/{OVERLAY}": "0.18"})
    check_shares(whole, Terms())
    with pytest.raises(InvalidRequest, match=r"worlds and @overlay is sum 0\.981, want at most 0\.98"):
        check_shares(shares({"a": "0.5", "b": "0.3"}, {f"a/{OVERLAY}": "0.181"}), Terms())
    check_known(whole, ["a", "b"], [Owner("a", "s")], "main")
    rows = {(each.world_id, each.strategy_id): each.gross_max for each in budgets_of(whole, F(1_000), F(2))}
    assert rows == {("a", ""): 1_000, ("a", OVERLAY): 360, ("a", "s"): 1_000, ("b", ""): 600}


def test_a_proxy_without_a_price_or_with_an_old_one_makes_no_plan() -> None:
    rows = [held("a/s", "1")]
    asked = Asked("asked", scaled(a="0.5"), {"a": F("0.5")}, approach=Approach.OVERLAY)
    old = Mark(F(1), F(1), NOW - asked.price_age_max * 2)
    for mark, reason in ((None, "E_MARK_MISSING"), (old, "E_MARK_STALE")):
        priced = replace(asked, proxies={"a": Proxy("paper", "FUT", mark)})
        with pytest.raises(NotReady, match="FUT") as refused:
            plan_of(Book("main", 1, F(1), tuple(rows)), priced, Rules(lots("1")), NOW)
        assert refused.value.reason == reason
