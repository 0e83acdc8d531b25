"""Risk numbers of seeded books beside their definitions, written out as loops over days and pairs."""

from __future__ import annotations

import math
from statistics import NormalDist, fmean

import pytest

from tests.worldservice.risk.books import book, snapshot_of
from worldservice.risk.domain.report import risk_report

Rows = list[list[float]]


def shrunk(rows: Rows) -> tuple[Rows, float]:
    """Ledoit and Wolf 2004: b2 as the mean distance of each day's outer product from the sample covariance."""
    n, p = len(rows), len(rows[0])
    means = [fmean(row[i] for row in rows) for i in range(p)]
    days = [[row[i] - means[i] for i in range(p)] for row in rows]
    sample = [[sum(day[i] * day[j] for day in days) / n for j in range(p)] for i in range(p)]
    mu = sum(sample[i][i] for i in range(p)) / p
    d2 = sum((sample[i][j] - (mu if i == j else 0.0)) ** 2 for i in range(p) for j in range(p)) / p
    far = sum((day[i] * day[j] - sample[i][j]) ** 2 for day in days for i in range(p) for j in range(p))
    k = min(d2, far / (n * n * p)) / d2 if d2 else 0.0
    return [[(1 - k) * sample[i][j] + (k * mu if i == j else 0.0) for j in range(p)] for i in range(p)], k


def tail(returns: list[float], level: float) -> tuple[float, float]:
    """Linear quantile of the losses, and the mean at or beyond it."""
    ordered = sorted(returns)
    at = (1.0 - level) * (len(ordered) - 1)
    low = math.floor(at)
    quantile = ordered[low] + (at - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])
    return -quantile, -fmean(one for one in ordered if one <= quantile)


def check_book(count: int, days: int, seed: int) -> None:
    weights, returns = book(count, days, seed)
    found = risk_report(snapshot_of(weights, returns))
    names = sorted(weights)
    rows = [list(day) for day in zip(*(returns[name].values for name in names), strict=True)]
    matrix, k = shrunk(rows[-500:])
    held = [weights[name] for name in names]
    vol = math.sqrt(sum(held[i] * held[j] * matrix[i][j] for i in range(count) for j in range(count)))
    z = NormalDist().inv_cdf(0.99)
    figures = found.figures
    assert figures["var_99_normal"] == pytest.approx(z * vol, rel=1e-9)
    assert figures["es_975_normal"] == pytest.approx(2.3378027922014 * vol, rel=1e-9)
    assert found.shrinkage == pytest.approx(k, rel=1e-8)
    for one in found.strategies:
        i = names.index(one.strategy_id)
        want = z * held[i] * sum(matrix[i][j] * held[j] for j in range(count)) / vol
        assert one.component == pytest.approx(want, rel=1e-8)
    if days >= 250:
        history = found.historical
        assert history is not None
        whole = [sum(w * r for w, r in zip(held, day, strict=True)) for day in rows]
        assert (history.var_99, history.es_99) == pytest.approx(tail(whole, 0.99), rel=1e-9)
        assert (history.var_975, history.es_975) == pytest.approx(tail(whole, 0.975), rel=1e-9)
    else:
        assert found.historical is None


@pytest.mark.parametrize(("count", "days", "seed"), [(1, 60, 1), (3, 249, 2), (5, 250, 3), (4, 520, 4)])
def test_a_book_has_the_numbers_of_the_definitions(count: int, days: int, seed: int) -> None:
    check_book(count, days, seed)


@pytest.mark.soak
def test_200_books_have_the_numbers_of_the_definitions() -> None:
    for seed in range(200):
        check_book(1 + seed % 8, 60 + 37 * (seed % 13), seed)
