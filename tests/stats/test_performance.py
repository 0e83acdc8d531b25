"""The catalogue's metrics of a curve, by hand: eight half days, four daily closes."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.stats.performance import ANNUALISED_DAYS_MIN, performance
from qmtl.stats.returns import Sessions
from qmtl.stats.trades import Trade

DAY_NS = 86_400 * 10**9
TIMES = np.arange(1, 9, dtype=np.int64) * DAY_NS // 2
EQUITY = np.array([100.0, 102.0, 101.0, 104.0, 103.0, 99.0, 105.0, 110.0])
DAILY = [0.02, 2.0 / 102.0, -5.0 / 104.0, 11.0 / 99.0]  # 100 before the first day, then 102, 104, 99, 110
TRADES = [Trade(1, 2.0), Trade(2, -1.0), Trade(3, 3.0)]


def _deviation(values: list[float]) -> float:
    centre = sum(values) / len(values)
    return math.sqrt(sum((value - centre) ** 2 for value in values) / (len(values) - 1))


def test_metrics_of_a_short_curve_by_hand() -> None:
    found = performance(TIMES, EQUITY, TRADES, sessions=Sessions(252.0))
    centre = sum(DAILY) / 4
    assert found["sharpe"] == pytest.approx(centre / _deviation(DAILY) * math.sqrt(252.0))
    assert found["sortino"] == pytest.approx(centre / (5.0 / 104.0 / 2.0) * math.sqrt(252.0))  # one loss of four
    assert found["volatility"] == pytest.approx(_deviation(DAILY) * math.sqrt(252.0))
    assert found["max_drawdown"] == pytest.approx(5.0 / 104.0)
    assert found["total_return"] == pytest.approx(0.1)
    assert found["final_equity"] == 110.0
    assert found["gain_to_pain"] == pytest.approx(sum(DAILY) / (5.0 / 104.0))
    assert found["win_rate"] == pytest.approx(2.0 / 3.0)
    assert found["profit_factor"] == 5.0
    falls = [0.0, 0.0, 1.0 / 102.0, 0.0, 1.0 / 104.0, 5.0 / 104.0, 0.0, 0.0]
    assert found["ulcer_index"] == pytest.approx(100.0 * math.sqrt(sum(fall**2 for fall in falls) / 8))
    assert found["var_99"] == pytest.approx(5.0 / 104.0 - 0.03 * (5.0 / 104.0 + 2.0 / 102.0))
    assert found["es_99"] == pytest.approx(5.0 / 104.0)
    assert found["es_975"] == pytest.approx(5.0 / 104.0)
    assert (found["sample_days"], found["n_trades"], found["n_bars"]) == (3.0, 3.0, 8.0)
    assert found["effective_history_years"] == pytest.approx(3.5 / 365.25)
    assert {"skewness", "kurtosis", "probabilistic_sharpe"} <= set(found)
    assert not {"cagr", "calmar", "cv_sharpe_mean", "cv_sharpe_std"} & set(found)


def test_a_year_of_days_is_365_unless_said() -> None:
    assert performance(TIMES, EQUITY, []) == performance(TIMES, EQUITY, [], sessions=Sessions(365.0))


def test_ratios_are_of_returns_between_closes() -> None:
    # closes at noon of day 1, then of day 3: 100, 102 | 101, 104, 103, 99 | 105, 110 after the last
    closes = Sessions(252.0, np.array([1, 5], dtype=np.int64) * DAY_NS // 2 + 1)
    found = performance(TIMES, EQUITY, [], sessions=closes)
    between = [0.0, 3.0 / 100.0, 7.0 / 103.0]
    assert found["sharpe"] == pytest.approx(sum(between) / 3 / _deviation(between) * math.sqrt(252.0))
    assert found["max_drawdown"] == pytest.approx(5.0 / 104.0)  # of every value, not of closes


def _curve(days: int, value: Callable[[int], float]) -> dict[str, float]:
    times = np.arange(days + 1, dtype=np.int64) * DAY_NS
    return performance(times, np.array([value(day) for day in range(days + 1)]), [])


def test_growth_is_compounded_from_thirty_days_on() -> None:
    assert ANNUALISED_DAYS_MIN == 30
    whole = _curve(30, lambda day: 100.0 + 3.0 * math.sin(day) + day)
    assert whole["cagr"] == pytest.approx(((130.0 + 3.0 * math.sin(30)) / 100.0) ** (365.25 / 30.0) - 1.0)
    assert whole["calmar"] == pytest.approx(whole["cagr"] / whole["max_drawdown"])
    assert whole["sample_days"] == 30.0
    short = _curve(29, lambda day: 100.0 + 3.0 * math.sin(day) + day)
    assert not {"cagr", "calmar"} & set(short)
    assert {"cv_sharpe_mean", "cv_sharpe_std"} <= set(short)


def test_constant_growth_has_no_ratio() -> None:
    times = np.concatenate([[DAY_NS // 4], np.arange(1, 41) * DAY_NS])
    found = performance(times, 100.0 * 1.001 ** np.arange(41.0), [])
    undefined = {"sharpe", "sortino", "skewness", "kurtosis", "probabilistic_sharpe", "cv_sharpe_mean", "cv_sharpe_std"}
    assert not (undefined | {"calmar", "gain_to_pain"}) & set(found)
    assert found["cagr"] == pytest.approx(1.001 ** (40.0 * 365.25 / 39.75) - 1.0)


def test_names_are_the_catalogues_and_values_are_finite() -> None:
    found = _curve(40, lambda day: 100.0 + 3.0 * math.sin(day))
    catalogue = Path("worldservice/policy/domain/metric_catalogue.py").read_text()
    assert all(f'"{name}"' in catalogue for name in found)
    assert all(math.isfinite(value) for value in found.values())
    assert not {"profit_factor", "win_rate"} & set(found)


def test_curves_without_a_value_for_each_time_are_refused() -> None:
    for times, equity in ((TIMES[:0], EQUITY[:0]), (TIMES, EQUITY[:3]), (TIMES[:3], EQUITY)):
        with pytest.raises(InvalidRequest, match="E_EQUITY"):
            performance(times, equity, [])
