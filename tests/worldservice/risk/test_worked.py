"""The worked numbers of the risk rules: each formula against values that were computed by other means."""

import math

import numpy as np
import pytest

from worldservice.risk.domain.candidate import explain_candidate
from worldservice.risk.domain.covariance import Covariance, ledoit_wolf, portfolio_vol
from worldservice.risk.domain.forecasts.backtest import (
    Verdict,
    Zone,
    acerbi_szekely,
    basel_zone,
    chi_squared_2,
    christoffersen,
    kupiec,
    verdict_of,
)
from worldservice.risk.domain.stress import correlation_one
from worldservice.risk.domain.tail_risk import components, normal_es, normal_quantile, normal_var

WEIGHTS = {"A": 0.5, "B": 0.3, "C": 0.2}


def covariance(vols: list[float], correlations: dict[tuple[str, str], float]) -> Covariance:
    ids = tuple("ABCD"[: len(vols)])
    matrix = np.diag(np.square(vols))
    for (first, second), correlation in correlations.items():
        at, to = ids.index(first), ids.index(second)
        matrix[at, to] = matrix[to, at] = correlation * vols[at] * vols[to]
    return Covariance(ids, matrix)


THREE = covariance([0.01, 0.02, 0.015], {("A", "B"): 0.2, ("A", "C"): 0.5, ("B", "C"): -0.1})


def test_normal_numbers_of_a_book_of_three() -> None:
    vol = portfolio_vol(WEIGHTS, THREE)
    assert vol == pytest.approx(0.00966437, abs=5e-9)
    assert normal_var(vol) == pytest.approx(0.02248268, abs=5e-9)
    assert normal_es(vol) == pytest.approx(0.02575761, abs=5e-9)
    assert normal_es(vol, 0.975) == pytest.approx(0.02259339, abs=5e-9)
    assert normal_var(vol, days=10) == pytest.approx(0.02248268 * math.sqrt(10), abs=2e-8)


def test_quantiles_are_those_of_the_normal_distribution() -> None:
    assert normal_quantile(0.99) == pytest.approx(2.326348, abs=5e-7)
    assert normal_quantile(0.975) == pytest.approx(1.959964, abs=5e-7)
    assert normal_es(1.0) == pytest.approx(2.665214, abs=5e-7)
    assert normal_es(1.0, 0.975) == pytest.approx(2.337803, abs=5e-7)


def test_components_of_a_book_of_three() -> None:
    parts = components(WEIGHTS, THREE)
    assert [parts[name] for name in "ABC"] == pytest.approx([0.00926749, 0.00967670, 0.00353849], abs=5e-9)
    assert [round(100 * part / sum(parts.values()), 1) for part in parts.values()] == [41.2, 43.0, 15.7]


def test_correlation_one_adds_the_vols() -> None:
    assert correlation_one(WEIGHTS, THREE).loss == pytest.approx(0.03256887, abs=5e-9)


def test_a_candidate_adds_what_its_correlations_say() -> None:
    four = covariance(
        [0.01, 0.02, 0.015, 0.025],
        {
            ("A", "B"): 0.2,
            ("A", "C"): 0.5,
            ("B", "C"): -0.1,
            ("A", "D"): 0.6,
            ("B", "D"): 0.3,
            ("C", "D"): 0.4,
        },
    )
    told = explain_candidate(WEIGHTS, "D", 0.1, {}, four)
    assert told.after.figures["var_99"] == pytest.approx(0.02427709, abs=5e-9)
    assert told.incremental("var_99") == pytest.approx(0.00179441, abs=5e-9)
    assert 0 < told.correlation < 1


def test_a_skipped_pair_would_understate_by_8_percent() -> None:
    skipped = covariance([0.01, 0.02, 0.015], {("A", "B"): 0.2, ("B", "C"): -0.1})
    assert normal_var(portfolio_vol(WEIGHTS, skipped)) == pytest.approx(0.02059836, abs=5e-9)


def test_shrinkage_of_ledoit_and_wolf() -> None:
    rows = 1e-3 * np.array(
        [[10, 4, -2], [-12, -6, 1], [6, 9, 3], [2, -4, -5], [-8, 1, 4], [11, 5, -1], [-3, -8, 2], [4, 3, -4]]
    )
    matrix, k = ledoit_wolf(rows)
    assert k == pytest.approx(0.24141804, abs=5e-9)
    assert np.trace(matrix) / 3 == pytest.approx(3.345833e-5, abs=5e-12)
    assert matrix[0, 0] == pytest.approx(5.373460e-5, abs=5e-12)
    assert matrix[0, 1] == pytest.approx(2.237817e-5, abs=5e-12)


@pytest.mark.parametrize(
    ("exceptions", "statistic", "p", "verdict"),
    [
        (0, 5.0252, 0.0250, Verdict.CONSERVATIVE),
        (4, 0.7691, None, Verdict.ACCEPTED),
        (6, 3.5554, 0.0594, Verdict.ACCEPTED),
        (7, 5.4970, 0.0190, Verdict.REJECTED),
        (10, 12.9555, None, Verdict.REJECTED),
    ],
)
def test_counts_of_exceptions_by_kupiec(exceptions: int, statistic: float, p: float | None, verdict: Verdict) -> None:
    found = kupiec(250, exceptions, 0.01)
    assert found.statistic == pytest.approx(statistic, abs=5e-5)
    assert p is None or found.p == pytest.approx(p, abs=5e-5)
    assert verdict_of(found, 250, exceptions) is verdict


def test_clusters_of_exceptions_by_christoffersen() -> None:
    clustered = christoffersen(239, 4, 4, 2)
    assert clustered.statistic == pytest.approx(8.1365, abs=5e-5)
    both = chi_squared_2(kupiec(250, 6, 0.01).statistic + clustered.statistic)
    assert both.statistic == pytest.approx(11.6918, abs=5e-5)
    assert both.p == pytest.approx(0.0029, abs=5e-5)
    assert christoffersen(237, 6, 6, 0).statistic == pytest.approx(0.2963, abs=5e-5)


def test_sizes_of_losses_by_acerbi_and_szekely() -> None:
    held = acerbi_szekely([0.248 / 0.03], 250, 0.025)
    assert held.z2 == pytest.approx(-0.3227, abs=5e-5)
    assert held.holds
    lost = acerbi_szekely([0.455 / 0.03], 250, 0.025)
    assert lost.z2 == pytest.approx(-1.4267, abs=5e-5)
    assert not lost.holds
    assert lost.z2 >= lost.red


def test_zones_of_the_basel_committee() -> None:
    assert [basel_zone(x) for x in (0, 4, 5, 9, 10)] == [Zone.GREEN, Zone.GREEN, Zone.YELLOW, Zone.YELLOW, Zone.RED]
