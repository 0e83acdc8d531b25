"""Moments by hand: the integers 1, 2, 3, 4, 10 have mean 4 and deviations -3, -2, -1, 0, 6."""

import math

import numpy as np
import pytest

from qmtl.stats.moments import ROUNDING, kurtosis, mean, ratio, sample_deviation, skewness

SAMPLE = np.array([1.0, 2.0, 3.0, 4.0, 10.0]) / 100.0


def test_moments_by_hand() -> None:
    assert mean(SAMPLE) == pytest.approx(0.04)
    assert sample_deviation(SAMPLE) == pytest.approx(math.sqrt(50.0 / 4.0) / 100.0)  # squares 9 + 4 + 1 + 0 + 36 = 50
    assert skewness(SAMPLE) == pytest.approx(36.0 / 10.0**1.5)  # cubes -27 - 8 - 1 + 216 = 180, over 5
    assert kurtosis(SAMPLE) == pytest.approx(278.8 / 100.0)  # fourth powers 81 + 16 + 1 + 1296 = 1394, over 5


def test_too_few_values_have_no_moment() -> None:
    none, one, two = np.array([]), np.array([0.01]), np.array([0.01, 0.03])
    assert math.isnan(mean(none))
    assert mean(one) == 0.01
    assert math.isnan(sample_deviation(one))
    assert sample_deviation(two) == pytest.approx(0.02 / math.sqrt(2.0))
    assert math.isnan(skewness(none))
    assert math.isnan(kurtosis(one))
    assert skewness(two) == pytest.approx(0.0)
    assert kurtosis(two) == pytest.approx(1.0)


def test_constants_that_differ_in_their_last_bits_have_no_spread() -> None:
    almost = np.array([0.1, 0.1 + 2.0**-56, 0.1, 0.1 - 2.0**-56])
    assert 0.0 < almost.std() < ROUNDING
    assert math.isnan(skewness(almost))
    assert math.isnan(kurtosis(almost))


def test_a_quotient_over_rounding_is_none() -> None:
    assert math.isnan(ratio(1.0, 0.0))
    assert math.isnan(ratio(1.0, -1.0))
    assert math.isnan(ratio(1.0, math.nan))
    assert math.isnan(ratio(1.0, ROUNDING))
    assert ratio(1.0, 2.0 * ROUNDING) == 1.0 / (2.0 * ROUNDING)
    assert ROUNDING == 2.0**-46  # 64 steps of a double at 1
