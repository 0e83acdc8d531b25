"""Drift against numbers computed by hand and those that the authors print."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.stats.drift import (
    bin_counts,
    decile_edges,
    mean_t,
    population_shift,
    shortfall_run_length,
    shortfall_sum,
)

DAYS = np.array([-3, 1, -2, -4, 0, -1, 2, -3, -2, -1, -4, 1, -2, -3, 0, -2, -1, -3, 1, -2], dtype=float)
EVEN = [0.1] * 10


def test_the_t_of_dependent_days_has_two_lags_at_twenty() -> None:
    error, t = mean_t(DAYS)
    assert DAYS.mean() == pytest.approx(-1.4)
    assert error == pytest.approx(0.2308, abs=5e-5)
    assert t == pytest.approx(-6.066, abs=5e-4)
    assert mean_t(DAYS, 2) == (error, t)
    assert mean_t(DAYS, 1) != (error, t)


def test_without_lags_it_is_the_plain_t_over_n() -> None:
    error, t = mean_t(DAYS, 0)
    assert error == pytest.approx(DAYS.std() / math.sqrt(20))
    assert t == pytest.approx(DAYS.mean() / error)


@pytest.mark.parametrize("values", [[], [0.1], [0.0, 0.0, 0.0]])
def test_a_mean_without_a_spread_has_no_t(values: list[float]) -> None:
    assert all(map(math.isnan, mean_t(np.array(values))))


@pytest.mark.parametrize(
    ("limit", "lengths"), [(5.0, (930.7, 38.0, 10.4)), (4.0, (335.3, 26.7, 8.4))], ids=["five", "four"]
)
def test_run_lengths_are_those_of_brook_and_evans(limit: float, lengths: tuple[float, float, float]) -> None:
    found = [shortfall_run_length(limit, shift) for shift in (0.0, 0.5, 1.0)]
    assert found == [pytest.approx(length, abs=0.05) for length in lengths]
    with pytest.raises(InvalidRequest, match="limit"):
        shortfall_run_length(0.0)


def test_shortfalls_add_up_beyond_the_slack_and_never_below_nothing() -> None:
    assert shortfall_sum([]) == 0.0
    assert shortfall_sum([2.0, -0.4]) == 0.0
    assert shortfall_sum([-1.0, -2.0, 0.25]) == 1.25  # 0.5, 2.0, less 0.75
    assert shortfall_sum([-1.0, -2.0], slack=1.0) == 1.0


def test_the_shift_of_two_populations_of_deciles() -> None:
    slight = [0.06, 0.08, 0.09, 0.10, 0.10, 0.10, 0.11, 0.11, 0.12, 0.13]
    plain = [0.02, 0.04, 0.06, 0.08, 0.10, 0.11, 0.12, 0.14, 0.16, 0.17]
    assert population_shift(slight, EVEN) == pytest.approx(0.0394, abs=5e-5)
    assert population_shift(plain, EVEN) == pytest.approx(0.2920, abs=5e-5)
    assert population_shift(EVEN, EVEN) == 0.0


def test_an_empty_bin_counts_half_an_observation() -> None:
    a, b = np.array([0.5, 9.5]) / 10.0, np.array([5.0, 5.0]) / 10.0
    want = float(((a - b) * np.log(a / b)).sum())
    assert population_shift([0.0, 9.5], [5.0, 5.0]) == pytest.approx(want)


def test_populations_are_told_apart_only_bin_by_bin() -> None:
    assert math.isnan(population_shift([0.0, 0.0], [1.0, 1.0]))
    assert math.isnan(population_shift([1.0, 1.0], [0.0, 0.0]))
    for counts in ([1.0], [1.0, -1.0]):
        with pytest.raises(InvalidRequest, match="counts"):
            population_shift(counts, [1.0, 1.0])


def test_deciles_hold_a_tenth_each_and_equal_edges_once() -> None:
    values = np.arange(100, dtype=float)
    edges = decile_edges(values)
    assert len(edges) == 9
    assert bin_counts(values, edges).tolist() == [10.0] * 10
    assert bin_counts(np.array([edges[0], edges[-1], 1e9]), edges).tolist() == [1, *[0] * 7, 1, 1]
    assert decile_edges(np.zeros(50)).tolist() == [0.0]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=2, max_size=8).filter(any))
def test_a_shift_is_symmetric_and_never_negative(counts: list[int]) -> None:
    other = counts[::-1]
    found = population_shift(counts, other)
    assert found >= 0.0
    assert population_shift(other, counts) == pytest.approx(found)
