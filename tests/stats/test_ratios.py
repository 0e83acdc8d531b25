"""Ratios by hand. The sample's mean is 0.005, its squared deviations sum to 0.00175, so its variance is 0.00035."""

import math

import numpy as np
import pytest

from qmtl.stats.ratios import calmar, gain_to_pain, sharpe, sortino, volatility
from qmtl.stats.returns import returns_of

RETURNS = np.array([0.02, -0.01, 0.03, -0.02, 0.01, 0.0])


def test_sharpe_by_hand() -> None:
    assert sharpe(RETURNS, 1.0) == pytest.approx(1.0 / math.sqrt(14.0))  # 0.005 / sqrt(0.00035)
    assert sharpe(RETURNS, 252.0) == pytest.approx(math.sqrt(18.0))
    assert sharpe(RETURNS, 1.0, risk_free=0.001) == pytest.approx(0.004 / math.sqrt(0.00035))


def test_sortino_by_hand() -> None:
    assert sortino(RETURNS, 1.0) == pytest.approx(math.sqrt(0.3))  # losses 0.0001 + 0.0004, over 6
    assert sortino(RETURNS, 252.0) == pytest.approx(math.sqrt(75.6))
    # against 0.01: mean -0.005, shortfalls 0.02, 0.03, 0.01
    assert sortino(RETURNS, 1.0, target=0.01) == pytest.approx(-0.005 / math.sqrt(0.0014 / 6.0))


def test_volatility_and_gain_to_pain_by_hand() -> None:
    assert volatility(RETURNS, 252.0) == pytest.approx(math.sqrt(0.0882))
    assert gain_to_pain(np.array([0.02, -0.01, 0.03, -0.02, 0.02])) == pytest.approx(4.0 / 3.0)


def test_calmar_by_hand() -> None:
    # a tenth a year for two years, after a fall of a fifth
    assert calmar(np.array([100.0, 125.0, 100.0, 121.0]), 2.0) == pytest.approx(0.5)


def test_returns_without_spread_have_no_ratio() -> None:
    grown = returns_of(100.0 * 1.01 ** np.arange(30.0))
    for constant in (np.full(5, 0.01), np.full(7, -0.01), np.zeros(5), grown):
        assert math.isnan(sharpe(constant, 365.0))
        assert math.isnan(sharpe(constant, 365.0, risk_free=0.003))
    assert grown.std() > 0.0
    for rising in (np.full(5, 0.01), np.zeros(5), grown, np.array([0.01, -(2.0**-60), 0.02])):
        assert math.isnan(sortino(rising, 365.0))
        assert math.isnan(gain_to_pain(rising))
    assert math.isnan(sortino(np.full(5, 0.1 + 0.2), 1.0, target=0.3))
    assert math.isnan(calmar(np.array([1.0, 2.0, 3.0]), 1.0))


def test_no_returns_have_no_ratio() -> None:
    none = np.array([])
    for found in (sharpe(none, 1.0), sortino(none, 1.0), volatility(none, 1.0), gain_to_pain(none)):
        assert math.isnan(found)


def test_small_returns_are_returns() -> None:
    assert sharpe(np.array([1e-9, 3e-9]), 1.0) == pytest.approx(math.sqrt(2.0))
    assert gain_to_pain(np.array([3e-10, -1e-10])) == pytest.approx(2.0)
