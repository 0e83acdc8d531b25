"""Statistics against hand-made numbers, independent formulas and the worlds' catalogue."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.stats import drawdowns, performance, ratios, returns, significance, tails, trades
from qmtl.stats.trades import Trade

RETURNS = np.array([0.02, -0.01, 0.03, -0.02, 0.01, 0.0])
EQUITY = np.array([100.0, 110.0, 99.0, 120.0, 90.0, 130.0])
DAY_NS = 86_400 * 10**9


def test_sharpe_and_sortino_by_hand() -> None:
    assert ratios.sharpe(RETURNS, 252.0) == pytest.approx(0.005 / RETURNS.std(ddof=1) * math.sqrt(252.0))
    downside = math.sqrt((0.01**2 + 0.02**2) / 6)
    assert ratios.sortino(RETURNS, 252.0) == pytest.approx(0.005 / downside * math.sqrt(252.0))
    assert ratios.sharpe(RETURNS, 1.0, risk_free=0.005) == pytest.approx(0.0, abs=1e-12)


def test_drawdown_ulcer_and_growth_by_hand() -> None:
    falls = [0.0, 0.0, 0.1, 0.0, 0.25, 0.0]
    assert drawdowns.drawdowns(EQUITY).tolist() == pytest.approx(falls)
    assert drawdowns.max_drawdown(EQUITY) == pytest.approx(0.25)
    assert drawdowns.ulcer_index(EQUITY) == pytest.approx(100.0 * math.sqrt((0.1**2 + 0.25**2) / 6))
    assert returns.cagr(EQUITY, 2.0) == pytest.approx(math.sqrt(1.3) - 1.0)
    assert ratios.calmar(EQUITY, 2.0) == pytest.approx((math.sqrt(1.3) - 1.0) / 0.25)
    assert returns.total_return(EQUITY) == pytest.approx(0.3)


def test_trades_and_tails_by_hand() -> None:
    assert trades.win_rate([1.0, -1.0, 2.0, 0.0]) == 0.5
    assert trades.profit_factor([3.0, -1.0, 1.0]) == 4.0
    assert ratios.gain_to_pain(RETURNS) == pytest.approx(0.03 / 0.03)
    hundred = np.arange(-50, 51) / 1000.0
    assert tails.value_at_risk(hundred) == pytest.approx(0.049)
    assert tails.expected_shortfall(hundred) == pytest.approx((0.05 + 0.049) / 2)


def test_probabilistic_sharpe_of_a_normal_sample() -> None:
    sample = np.random.default_rng(1).normal(0.001, 0.01, 500)
    ratio = ratios.sharpe(sample, 1.0)
    expected = 0.5 * (1 + math.erf(ratio * math.sqrt(499) / math.sqrt(1 + 0.5 * ratio**2) / math.sqrt(2)))
    assert significance.probabilistic_sharpe(sample) == pytest.approx(expected, abs=0.01)
    assert significance.probabilistic_sharpe(sample, benchmark=ratio) == pytest.approx(0.5)


def test_deflation_only_lowers() -> None:
    sample = np.random.default_rng(2).normal(0.001, 0.01, 300)
    ladder = [significance.deflated_sharpe(sample, trials, 0.05) for trials in (1, 2, 10, 100, 1000)]
    assert ladder == sorted(ladder, reverse=True)
    assert ladder[0] == significance.probabilistic_sharpe(sample)
    with pytest.raises(InvalidRequest, match="E_TRIALS"):
        significance.deflated_sharpe(sample, 0, 0.05)


def test_undefined_is_nan_never_a_number() -> None:
    flat, none = np.full(10, 1.0), np.array([])
    assert math.isnan(ratios.sharpe(np.zeros(10), 365.0))
    assert math.isnan(trades.profit_factor([1.0]))
    assert math.isnan(trades.win_rate([]))
    assert math.isnan(ratios.calmar(flat, 1.0))
    assert math.isnan(returns.cagr(np.array([1.0, -1.0]), 1.0))
    assert math.isnan(significance.probabilistic_sharpe(none))
    assert math.isnan(tails.value_at_risk(none))
    assert math.isnan(significance.cv_sharpe(RETURNS, 1.0)[0])


@given(st.lists(st.floats(0.5, 2.0), min_size=2, max_size=50), st.floats(0.1, 1e6))
def test_scale_of_money_changes_no_ratio(steps: list[float], scale: float) -> None:
    equity = np.cumprod(np.array(steps))
    one, two = returns.returns_of(equity), returns.returns_of(equity * scale)
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)
    assert drawdowns.max_drawdown(equity) == pytest.approx(drawdowns.max_drawdown(equity * scale))
    assert 0.0 <= drawdowns.max_drawdown(equity) < 1.0


def test_daily_takes_the_last_close_of_each_utc_day() -> None:
    hours = np.arange(1, 73) * 3600 * 10**9
    ends, closes = returns.daily(hours, np.arange(1.0, 73.0))
    assert ends.tolist() == [DAY_NS, 2 * DAY_NS, 3 * DAY_NS]
    assert closes.tolist() == [24.0, 48.0, 72.0]


def test_performance_has_catalogue_names_and_only_finite_values() -> None:
    times = np.arange(1, 41, dtype=np.int64) * DAY_NS
    equity = np.array([100.0 + 3.0 * math.sin(k) for k in range(40)])
    found = performance.performance(times, equity, [Trade(1, 2.0), Trade(2, -1.0)])
    catalogue = Path("worldservice/policy/domain/metric_catalogue.py").read_text()
    assert all(f'"{name}"' in catalogue for name in found)
    assert all(math.isfinite(value) for value in found.values())
    assert found["sample_days"] == 39.0
    assert found["n_trades"] == 2.0
    assert found["profit_factor"] == 2.0
    assert "profit_factor" not in performance.performance(times, equity, [])


def test_empty_curves_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="E_EQUITY"):
        performance.performance(np.array([], dtype=np.int64), np.array([]), [])
