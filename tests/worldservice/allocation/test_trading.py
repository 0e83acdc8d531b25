"""Cost, pace, overlay and hybrid: the numbers of the papers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from qmtl.core.errors import InvalidRequest
from tests.worldservice.allocation.books import MARK, NOW, F, held, lots, scaled
from worldservice.allocation.domain.legs import legs_of
from worldservice.allocation.domain.plan import Approach, Asked, Book, Rules, plan_of
from worldservice.allocation.domain.scaling import ScaleMode
from worldservice.allocation.domain.trading.cost import Market, cost_of, permanent_bps, temporary_bps
from worldservice.allocation.domain.trading.netting import PlannedOrder, residual_lots
from worldservice.allocation.domain.trading.overlay import Proxy, Way, check_proxies, choices_of, hybrid_hedges
from worldservice.allocation.domain.trading.pace import Aversion, left_after, urgency

IBM = Market(Decimal("0.0157"), Decimal("6.561e6"), outstanding=Decimal("1728e6"))
BTC = Market(Decimal("0.02"), Decimal(1_000), Decimal(2), Decimal(5), beta=Decimal("1.5"), correlation=Decimal("0.9"))
PROXY = Proxy("paper", "FUT", MARK)


def bps(value: Decimal | None) -> Decimal:
    assert value is not None
    return value.quantize(Decimal("0.01"))


@pytest.mark.parametrize(("days", "total"), [("0.1", "32.22"), ("0.2", "24.64"), ("0.5", "18.42")])
def test_impact_of_the_paper(days: str, total: str) -> None:
    quantity = IBM.daily_volume / 10 if IBM.daily_volume else Decimal(0)
    found = cost_of(IBM, -quantity, Decimal(days))
    assert found is not None
    assert bps(found.total) == Decimal(total)
    assert bps(permanent_bps(IBM, quantity)) == Decimal("19.86")
    assert bps(temporary_bps(IBM, quantity, Decimal("0.1"))) == Decimal("22.29")


@pytest.mark.parametrize(("quantity", "total"), [(10, "11.43"), (100, "26.53")])
def test_cost_with_spread_and_fee(quantity: int, total: str) -> None:
    found = cost_of(BTC, Decimal(quantity), Decimal("0.25"))
    assert found is not None
    assert bps(found.total) == Decimal(total)


def test_without_a_volume_the_cost_is_unknown() -> None:
    assert cost_of(Market(Decimal("0.02")), Decimal(1), Decimal(1)) is None


def test_hybrid_scales_what_is_cheap_and_hedges_what_is_dear() -> None:
    rows = [held("a/s", "20", "ETH"), held("a/t", "200")]
    legs = legs_of(rows, scaled(a="0.5"), ScaleMode.EXACT)
    choices = choices_of(legs, {"BTC": BTC, "ETH": BTC, "FUT": BTC}, Decimal("0.25"), proxies={"a": PROXY})
    assert [(choice.leg.symbol, choice.way) for choice in choices] == [("ETH", Way.SCALED), ("BTC", Way.HEDGED)]
    assert choices[1].hedge_bps == cost_of(BTC, Decimal(150), Decimal("0.25")).total  # type: ignore[union-attr]
    (hedge,) = hybrid_hedges(choices, [], rows, {"BTC": BTC}, {"a": PROXY})
    assert hedge.delta == F(-100) * F("1.5")


def test_a_hedge_is_of_its_own_world_and_carries_its_change() -> None:
    rows = [held("a/t", "200"), held("b/t", "200")]
    legs = legs_of(rows, scaled(a="0.5", b="0.25"), ScaleMode.EXACT)
    choices = choices_of(legs, {"BTC": BTC}, Decimal("0.25"))
    other = Proxy("paper", "FUT2", MARK)
    hedges = hybrid_hedges(choices, [], rows, {"BTC": BTC}, {"a": PROXY, "b": other})
    assert [(each.owner.world_id, each.symbol, each.delta, each.scale.g) for each in hedges] == [
        ("a", "FUT", F(-150), F(1, 2)), ("b", "FUT2", F(-225), F(1, 4)),
    ]  # fmt: skip


def test_hybrid_without_volume_or_correlation() -> None:
    rows = [held("a/s", "20"), held("a/t", "20", "ETH"), held("a/u", "20", "SOL")]
    legs = legs_of(rows, scaled(a="0.5"), ScaleMode.EXACT)
    weak = Market(Decimal("0.02"), Decimal(1), beta=Decimal(1), correlation=Decimal("-0.49"))
    unknown = Market(Decimal("0.02"), None, beta=Decimal(1), correlation=Decimal("0.5"))
    choices = choices_of(legs, {"BTC": weak, "ETH": unknown}, Decimal(1))
    ways = [choice.way for choice in choices]
    assert ways == [Way.OVERLAY_UNCORRELATED, Way.COST_UNKNOWN, Way.OVERLAY_UNCORRELATED]
    assert [choice.is_scaled for choice in choices] == [True, False, True]
    assert [choice.bps is None for choice in choices] == [False, True, True]


def test_a_hybrid_plan_tells_both_costs_and_warns() -> None:
    asked = Asked(
        "asked", scaled(a="0.5"), {"a": F(1, 2)}, approach=Approach.HYBRID, proxies={"a": PROXY}, days=Decimal("0.25"),
        markets={"BTC": BTC, "ETH": BTC, "FUT": Market(Decimal("0.02"), Decimal(10_000))},
    )  # fmt: skip
    rows = (held("a/s", "20", "ETH"), held("a/t", "200"))
    plan = plan_of(Book("main", 1, F(10**9), rows), asked, Rules(lots("0.1")), NOW)
    assert [(row.leg.symbol, row.is_dropped) for row in plan.legs] == [("FUT", True), ("ETH", False)]
    assert [bps(each.cost.total) for each in plan.costs if each.cost] == [Decimal("11.43")]
    assert [bps(choice.bps) for choice in plan.choices] == [Decimal("11.43"), Decimal("26.53")]


@pytest.mark.parametrize(
    ("proxies", "reason"),
    [({"a": ("p", "X")}, "E_OVERLAY_PROXY"), ({"a": ("p", "X"), "b": ("p", "X")}, "E_OVERLAY_DUPLICATE")],
)
def test_each_world_has_a_proxy_of_its_own(proxies: dict[str, tuple[str, str]], reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_proxies(["a", "b"], proxies)
    assert refused.value.reason == reason
    check_proxies(["a"], {"a": ("p", "X"), "b": ("q", "X")})


def test_pace_of_almgren_and_chriss() -> None:
    aversion = Aversion(Decimal("1e-6"), Decimal("0.95"), Decimal("2.5e-6"), Decimal("2.5e-7"))
    k = urgency(aversion)
    assert k.quantize(Decimal("0.00001")) == Decimal("0.60708")
    left = left_after(5, k)
    assert [round(float(each), 4) for each in left] == [0.5420, 0.2899, 0.1479, 0.0621, 0]


def test_without_risk_aversion_slices_are_equal() -> None:
    assert urgency(Aversion(Decimal(0), Decimal(1), Decimal(1), Decimal(0))) == 0
    assert left_after(4, Decimal(0)) == (F(3, 4), F(1, 2), F(1, 4), F(0))


@pytest.mark.parametrize("slices", [0, 101])
def test_a_pace_has_1_to_100_slices(slices: int) -> None:
    with pytest.raises(InvalidRequest, match=r"pace\.slices"):
        left_after(slices, Decimal(0))


def test_no_pace_is_best_under_a_permanent_impact_that_large() -> None:
    with pytest.raises(InvalidRequest, match=r"E_PACE: pace\.eta"):
        urgency(Aversion(Decimal(1), Decimal(1), Decimal(1), Decimal(2)))
    with pytest.raises(InvalidRequest, match=r"E_PACE: pace\.risk_aversion is -1, want 0 or more"):
        urgency(Aversion(Decimal(-1), Decimal(1), Decimal(1), Decimal(0)))


def test_lots_that_are_no_legs_are_counted() -> None:
    order = PlannedOrder("v", "S", Fraction(5), Fraction(1), (Fraction(2), Fraction(3)), False, (0, 1), (3, 2))
    assert residual_lots([order]) == 0
    assert residual_lots([order, replace(order, shares=(3, 3)), replace(order, slices=(Fraction(2),))]) == 4
