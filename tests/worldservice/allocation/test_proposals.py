from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from qmtl.core.errors import InvalidRequest, NotFound, NotReady
from tests.worldservice.allocation.books import F, shares
from worldservice.allocation.domain.proposals.bounds import banded, filled, rounded
from worldservice.allocation.domain.proposals.hierarchical import hierarchical, leaf_order
from worldservice.allocation.domain.proposals.methods import Doubles, equal_risk, minimum_variance
from worldservice.allocation.domain.proposals.propose import Covariance, Method, Wish, covariance_of, daily_vol, propose
from worldservice.allocation.domain.shares import Owner, Shares

VOL = np.array([0.01, 0.012, 0.02, 0.015])
R = np.array([[1, 0.8, 0.1, 0.2], [0.8, 1, 0.15, 0.1], [0.1, 0.15, 1, 0.6], [0.2, 0.1, 0.6, 1]])
C = R * np.outer(VOL, VOL)
OWNERS = tuple(Owner("w", f"s{i}") for i in range(1, 5))
WORKED = Covariance(OWNERS, C)


def weights(method: Method, **more: object) -> list[float]:
    found = propose(WORKED, Wish(method, F(1), **more), Shares())  # type: ignore[arg-type]
    return [round(float(found.shares.strategy(owner)), 6) for owner in OWNERS]


@pytest.mark.parametrize(
    ("method", "more", "want"),
    [
        (Method.EQUAL, {}, [0.25] * 4),
        (Method.INVERSE_VOL, {}, [0.333333, 0.277778, 0.166667, 0.222222]),
        (Method.ERC, {}, [0.322381, 0.274749, 0.174651, 0.228219]),
        (Method.HRP, {}, [0.402931, 0.279813, 0.114212, 0.203043]),
        (Method.HRP, {"cap": F("0.35")}, [0.35, 0.304619, 0.124337, 0.221044]),
    ],
)
def test_worked_proposals(method: Method, more: dict[str, object], want: list[float]) -> None:
    assert weights(method, **more) == want


@pytest.mark.parametrize(("method", "vol"), [(Method.ERC, 94.296), (Method.HRP, 91.156), (Method.EQUAL, 100.902)])
def test_worked_volatilities(method: Method, vol: float) -> None:
    assert round(propose(WORKED, Wish(method, F(1)), Shares()).daily_vol * 1e4, 3) == vol


def random_covariance(n: int, seed: int) -> Doubles:
    draws = np.random.default_rng(seed).normal(0, 0.01, (4 * n, n))
    return np.asarray(np.cov(draws + 0.5 * draws[:, :1], rowvar=False))


@pytest.mark.parametrize("seed", range(5))
def test_erc_contributions_are_equal(seed: int) -> None:
    covariance = random_covariance(12, seed)
    w = equal_risk(covariance)
    risks = w * (covariance @ w)
    assert np.allclose(risks, risks.mean(), rtol=1e-7)


@pytest.mark.parametrize("seed", range(5))
def test_least_variance_meets_its_conditions(seed: int) -> None:
    """No weight could be moved to lower w'Cw: the gradient is equal where there is weight, and not lower elsewhere."""
    covariance = random_covariance(12, seed)
    w = minimum_variance(covariance)
    gradient = covariance @ w
    inside = w > 0
    assert (w >= 0).all()
    assert abs(w.sum() - 1) < 1e-12
    assert np.allclose(gradient[inside], gradient[inside][0], rtol=1e-8)
    assert (gradient[~inside] >= gradient[inside][0] * (1 - 1e-8)).all()
    assert inside.sum() > 0


def test_least_variance_leaves_out_what_only_adds_risk() -> None:
    w = minimum_variance(np.array([[1.0, 2.7, 0.0], [2.7, 9.0, 0.0], [0.0, 0.0, 4.0]]))
    assert w.tolist() == pytest.approx([0.8, 0.0, 0.2])
    assert w[1] == 0


def test_the_order_of_strategies_changes_nothing() -> None:
    covariance = random_covariance(9, 3)
    owners = [Owner("w", f"s{i}") for i in range(9)]
    order = [4, 7, 0, 8, 2, 1, 6, 3, 5]
    mixed = covariance[np.ix_(order, order)]
    for method in Method:
        found = propose(covariance_of(owners, covariance[np.tril_indices(9)].tolist()), Wish(method), Shares())
        again = propose(
            covariance_of([owners[i] for i in order], mixed[np.tril_indices(9)].tolist()), Wish(method), Shares()
        )
        assert again.shares == found.shares


def test_leaves_of_merged_clusters_keep_the_older_left() -> None:
    points = np.array([0.0, 10.0, 0.5, 10.6, 30.0])
    assert leaf_order(np.abs(points[:, None] - points[None, :])) == [4, 0, 2, 1, 3]


def test_shares_add_up_to_the_total_to_the_ninth_place() -> None:
    for method in Method:
        found = propose(WORKED, Wish(method), Shares())
        assert sum(found.shares.strategies.values()) == F("0.98")
        assert found.shares.worlds == {"w": F("0.98")}


def test_caps_and_floors_of_one_strategy() -> None:
    wish = Wish(Method.EQUAL, F(1), caps={OWNERS[0]: F("0.1")}, floors={OWNERS[1]: F("0.4")})
    found = propose(WORKED, wish, Shares()).shares
    assert [found.strategy(owner) for owner in OWNERS] == [F("0.1"), F("0.4"), F("0.25"), F("0.25")]


@pytest.mark.parametrize(
    ("floors", "caps"),
    [(["0.6", "0.5"], ["1", "1"]), (["0", "0"], ["0.4", "0.5"]), (["0.5", "0"], ["0.4", "1"])],
)
def test_bounds_that_cannot_be_met(floors: list[str], caps: list[str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        filled([F(1, 2), F(1, 2)], F(1), [F(each) for each in floors], [F(each) for each in caps])
    assert refused.value.reason == "E_CAPS_INFEASIBLE"


def test_filled_bounds_that_are_met_exactly() -> None:
    assert filled([F(3, 4), F(1, 4)], F(1), [F(0)] * 2, [F(1, 2)] * 2) == [F(1, 2), F(1, 2)]
    assert filled([F(3, 4), F(1, 4)], F(1), [F(1, 2)] * 2, [F(1)] * 2) == [F(1, 2), F(1, 2)]
    assert filled([F(1), F(0)], F(1), [F(0)] * 2, [F(2, 3)] * 2) == [F(2, 3), F(1, 3)]
    assert filled([F(0), F(0)], F(1), [F(0)] * 2, [F(1), F(1, 2)]) == [F(2, 3), F(1, 3)]


@pytest.mark.parametrize("seed", range(20))
def test_filled_is_within_bounds_and_proportional_between_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    ws = [Fraction(int(n), 100) for n in random.integers(1, 100, 6)]
    floors = [Fraction(int(n), 1000) for n in random.integers(0, 100, 6)]
    caps = [floor + Fraction(int(n), 1000) for floor, n in zip(floors, random.integers(120, 500, 6), strict=True)]
    found = filled(ws, F(7, 10), floors, caps)
    assert sum(found) == F(7, 10)
    free = {s / w for s, w, low, high in zip(found, ws, floors, caps, strict=True) if low < s < high}
    assert len(free) <= 1
    assert all(low <= s <= high for s, low, high in zip(found, floors, caps, strict=True))


def test_rounded_gives_what_is_left_to_the_largest_remainder() -> None:
    thirds = rounded([F(1, 3)] * 3, F(1))
    assert thirds == [F("0.333333334"), F("0.333333333"), F("0.333333333")]


def test_a_share_within_the_band_stays() -> None:
    today = [F("0.26"), F("0.5"), F("0.1"), F("0.1")]
    found = banded([F(1, 4)] * 4, today, F("0.02"), F(1), [F(0)] * 4, [F(1)] * 4)
    assert found == [F("0.26"), F("0.74") / 3, F("0.74") / 3, F("0.74") / 3]
    assert banded([F(1, 4)] * 4, [F("0.24")] * 4, F("0.01"), F(1), [F(0)] * 4, [F(1)] * 4) == [F("0.24")] * 4


def test_band_of_a_proposal() -> None:
    today = shares({"w": "0.97"}, {"w/s1": "0.24", "w/s2": "0.25", "w/s3": "0.24", "w/s4": "0.24"})
    assert propose(WORKED, Wish(Method.EQUAL, band=F("0.01")), today).shares == today


def test_a_target_of_volatility_lowers_all_alike_and_never_raises() -> None:
    full = propose(WORKED, Wish(Method.ERC, F(1)), Shares())
    half = propose(WORKED, Wish(Method.ERC, F(1), vol_target=Fraction(full.daily_vol) / 2), Shares())
    assert abs(half.daily_vol / full.daily_vol - 0.5) < 1e-8
    assert abs(sum(half.shares.strategies.values()) - F(1, 2)) <= F(1, 10**9)
    assert propose(WORKED, Wish(Method.ERC, F(1), vol_target=F(1)), Shares()).shares == full.shares
    assert daily_vol(C, [F(1), F(0), F(0), F(0)]) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("triangle", "reason"),
    [
        ([1.0, 0.5], "E_COVARIANCE"),
        ([1.0, float("nan"), 1.0], "E_COVARIANCE"),
        ([1.0, 1.1, 1.0], "E_COVARIANCE"),
        ([-1.0, 0.0, 1.0], "E_COVARIANCE"),
    ],
)
def test_covariances_that_are_refused(triangle: list[float], reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        covariance_of(OWNERS[:2], triangle)
    assert refused.value.reason == reason


def test_a_strategy_twice_or_unknown_or_without_risk() -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        covariance_of([OWNERS[0]] * 2, [1.0, 0.0, 1.0])
    with pytest.raises(NotFound, match="w/other is not in the covariance"):
        propose(WORKED, Wish(Method.EQUAL, caps={Owner("w", "other"): F(1)}), Shares())
    flat = covariance_of(OWNERS[:2], [0.0, 0.0, 1.0])
    for method in (Method.INVERSE_VOL, Method.ERC, Method.HRP, Method.MIN_VARIANCE):
        with pytest.raises(NotReady, match="volatility is 0"):
            propose(flat, Wish(method), Shares())


PUBLISHED_VOL = np.array([0.1, 0.2, 0.3, 0.4])
PUBLISHED_R = np.array([[1, 0.8, 0, 0], [0.8, 1, 0, 0], [0, 0, 1, -0.5], [0, 0, -0.5, 1]])


@pytest.mark.parametrize(
    ("method", "percent", "vol"),
    [(equal_risk, [38.4, 19.2, 24.3, 18.2], 10.3), (minimum_variance, [74.5, 0.0, 15.2, 10.3], 8.6)],
)
def test_the_example_of_maillard_roncalli_and_teiletche(
    method: Callable[[Doubles], Doubles], percent: list[float], vol: float
) -> None:
    """Of their paper (Journal of Portfolio Management, 2010), the second numerical example."""
    covariance = PUBLISHED_R * np.outer(PUBLISHED_VOL, PUBLISHED_VOL)
    found = method(covariance)
    assert np.round(100 * found, 1).tolist() == percent
    assert round(100 * float(np.sqrt(found @ covariance @ found)), 1) == vol


@pytest.mark.parametrize(
    ("method", "weights", "within"),
    [
        # minimize(method="SLSQP") and "trust-constr" of w'Cw, which agree to 2e-9
        (minimum_variance, [0.154317872, 0.111250725, 0.302206900, 0.056079173, 0.107720970, 0.268424361], 5e-9),
        # root of Cx = 1/(n x), divided by its sum
        (equal_risk, [0.1650043801, 0.1540790199, 0.1845405163, 0.1538511135, 0.1742745593, 0.1682504108], 2e-10),
        # linkage(pdist(d), "single"), leaves_list 2 0 4 1 3 5, halves by inverse variance
        (hierarchical, [0.1798417376, 0.2053775588, 0.2031309067, 0.1204346363, 0.1624364779, 0.1287786827], 2e-10),
    ],
)
def test_weights_are_those_of_scipy(method: Callable[[Doubles], Doubles], weights: list[float], within: float) -> None:
    """scipy 1.17.1, over returns of a closed form."""
    day, column = np.arange(1, 61)[:, None], np.arange(1, 7)[None, :]
    rows = 0.01 * (np.sin(0.7 * day * column) + 0.5 * np.cos(1.3 * day) + 0.1 * column * np.sin(day * day / 7.0))
    assert method(np.asarray(np.cov(rows, rowvar=False))).tolist() == pytest.approx(weights, abs=within)
