"""Tail risk by hand: the quantile of n sorted values at p lies at (n-1) p, between neighbours linearly."""

import math

import numpy as np
import pytest

from qmtl.stats.tails import expected_shortfall, value_at_risk

HUNDRED = np.arange(-50, 51) / 1000.0
FIVE = np.array([0.1, -0.05, 0.0, -0.1, 0.05])


def test_value_at_risk_by_hand() -> None:
    assert value_at_risk(HUNDRED) == pytest.approx(0.049)
    assert value_at_risk(HUNDRED, 0.95) == pytest.approx(0.045)
    assert value_at_risk(FIVE, 0.9) == pytest.approx(0.08)  # 0.4 of the way from -0.1 to -0.05


def test_expected_shortfall_by_hand() -> None:
    assert expected_shortfall(HUNDRED) == pytest.approx((0.05 + 0.049) / 2)
    assert expected_shortfall(HUNDRED, 0.95) == pytest.approx(0.0475)  # mean of 0.050 to 0.045
    assert expected_shortfall(FIVE, 0.9) == pytest.approx(0.1)


def test_gains_alone_are_no_risk() -> None:
    assert (value_at_risk(np.array([0.01, 0.02])), expected_shortfall(np.array([0.01, 0.02]))) == (0.0, 0.0)


def test_no_returns_have_no_tail() -> None:
    assert math.isnan(value_at_risk(np.array([])))
    assert math.isnan(expected_shortfall(np.array([])))
    assert value_at_risk(np.array([-0.03])) == expected_shortfall(np.array([-0.03])) == 0.03
