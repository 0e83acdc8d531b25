"""Significance against the numbers that the authors print.

Bailey and Lopez de Prado, "The Sharpe Ratio Efficient Frontier" (2012), section 4: 24 months with a Sharpe ratio of
0.458 a month, skewness -2.448 and kurtosis 10.164 have PSR(0) = 0.913, and 0.982 if they were normal. "The Deflated
Sharpe Ratio" (2014), its numerical example: 1250 days at 2.5 a year (250 days), skewness -3, kurtosis 10, the best of
100 trials whose yearly Sharpe ratios have variance 1/2: SR* = 0.1132 a day, DSR = 0.9004.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.stats.moments import kurtosis, skewness
from qmtl.stats.ratios import sharpe
from qmtl.stats.significance import (
    best_expected_sharpe,
    confidence,
    cv_sharpe,
    deflated_sharpe,
    probabilistic_sharpe,
    ratio_error,
    track_record_length,
)

DAILY = 2.5 / math.sqrt(250.0)


def test_confidence_is_what_the_authors_print() -> None:
    assert confidence(0.458, 24, -2.448, 10.164, 0.0) == pytest.approx(0.913, abs=5e-4)
    assert confidence(0.458, 24, 0.0, 3.0, 0.0) == pytest.approx(0.982, abs=5e-4)
    assert confidence(DAILY, 1250, -3.0, 10.0, 0.1132) == pytest.approx(0.9004, abs=5e-4)


def test_the_best_of_many_trials_is_what_the_authors_print() -> None:
    assert best_expected_sharpe(100, math.sqrt(0.5 / 250.0)) == pytest.approx(0.1132, abs=5e-5)
    assert best_expected_sharpe(1, 0.5) == 0.0
    assert best_expected_sharpe(2, 1.0) == pytest.approx(
        0.5202, abs=5e-4
    )  # Phi^-1(0.5) is 0, Phi^-1(1 - 1/(2e)) 0.9007


def test_probabilities_of_a_sample_use_its_own_moments() -> None:
    sample = np.array([0.03, -0.01, 0.02, -0.05, 0.01, 0.015, 0.02, -0.002])
    ratio, spread = sharpe(sample, 1.0), 0.05
    assert probabilistic_sharpe(sample) == confidence(ratio, 8, skewness(sample), kurtosis(sample), 0.0)
    assert probabilistic_sharpe(sample, benchmark=ratio) == pytest.approx(0.5)
    best = best_expected_sharpe(10, spread)
    assert deflated_sharpe(sample, 10, spread) == probabilistic_sharpe(sample, best) < probabilistic_sharpe(sample)


def test_what_has_no_confidence() -> None:
    assert math.isnan(probabilistic_sharpe(np.array([])))
    assert math.isnan(probabilistic_sharpe(np.full(5, 0.01)))
    assert math.isnan(deflated_sharpe(np.full(5, 0.01), 10, 0.1))
    assert math.isnan(confidence(1.0, 10, 2.0, 1.0, 0.0))  # 1 - 2 + 0
    assert math.isnan(confidence(1.0, 10, 1.0, 1.0, 0.0))  # exactly 0
    assert math.isnan(confidence(math.inf, 10, 0.0, 3.0, 0.0))


def test_no_trials_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="E_TRIALS"):
        best_expected_sharpe(0, 0.05)


@given(st.integers(2, 10**6), st.floats(0.01, 2.0))
def test_more_trials_only_raise_the_bar(trials: int, spread: float) -> None:
    assert best_expected_sharpe(trials + 1, spread) > best_expected_sharpe(trials, spread) > 0.0


def test_folds_by_hand() -> None:
    # of two returns a, b the Sharpe ratio is (a + b) / (sqrt 2 |a - b|): here 2, 3, 3, 1.5 and 0 over sqrt 2
    pairs = np.array([0.03, 0.01, 0.02, 0.01, 0.04, 0.02, 0.05, 0.01, 0.01, -0.01])
    found, spread = cv_sharpe(pairs, 1.0)
    assert found == pytest.approx(1.9 / math.sqrt(2.0))
    assert spread == pytest.approx(math.sqrt(1.55 / 2.0))
    yearly, yearly_spread = cv_sharpe(pairs, 4.0)
    assert yearly == pytest.approx(3.8 / math.sqrt(2.0))
    assert yearly_spread == pytest.approx(2.0 * math.sqrt(1.55 / 2.0))
    halves, _ = cv_sharpe(pairs[:4], 1.0, folds=2)
    assert halves == pytest.approx(2.5 / math.sqrt(2.0))


def test_too_few_returns_have_no_folds() -> None:
    assert all(math.isnan(found) for found in cv_sharpe(np.arange(9.0), 1.0))
    assert not math.isnan(cv_sharpe(np.arange(10.0), 1.0)[0])


def test_skew_and_fat_tails_count_to_the_last_digit() -> None:
    """The authors' sample with its moments as fractions, and the normal distribution by the error function."""
    ratio, skew, kurt = Fraction("0.458"), Fraction("-2.448"), Fraction("10.164")
    score = math.sqrt(ratio**2 * 23 / (1 - skew * ratio + (kurt - 1) / 4 * ratio**2))
    found = confidence(0.458, 24, -2.448, 10.164, 0.0)
    assert found == pytest.approx(0.5 * math.erfc(-score / math.sqrt(2.0)), rel=1e-12)


def test_deflated_confidence_falls_with_the_number_of_trials() -> None:
    """The example of 2014 with the numbers of trials that its authors go through."""
    spread = math.sqrt(0.5 / 250.0)
    found = {
        trials: confidence(DAILY, 1250, -3.0, 10.0, best_expected_sharpe(trials, spread)) for trials in (100, 46, 10)
    }
    assert found == {
        100: pytest.approx(0.900397, abs=5e-7),
        46: pytest.approx(0.950502, abs=5e-7),
        10: pytest.approx(0.993880, abs=5e-7),
    }
    assert best_expected_sharpe(100, spread) == pytest.approx(0.113172, abs=5e-7)


def test_how_long_a_track_record_has_to_be() -> None:
    """Sharpe 2 a year against 1, by days, weeks and months: the table of 2012."""
    found = [track_record_length(2.0 / math.sqrt(n), 0.0, 3.0, 1.0 / math.sqrt(n)) for n in (252, 52, 12)]
    assert found == [pytest.approx(n, abs=0.05) for n in (688.2, 147.1, 38.9)]
    days = [math.ceil(track_record_length(ratio / math.sqrt(365), -0.5, 6.0)) for ratio in (1.0, 1.5, 2.0, 3.0)]
    assert days == [1018, 461, 265, 123]


def test_a_ratio_at_its_benchmark_is_never_proved() -> None:
    assert track_record_length(0.1, 0.0, 3.0, 0.1) == math.inf
    assert track_record_length(-0.1, 0.0, 3.0) == math.inf
    assert math.isnan(track_record_length(math.nan, 0.0, 3.0))


def test_the_error_of_a_ratio_is_what_its_confidence_is_measured_in() -> None:
    error = ratio_error(DAILY, 1250, -3.0, 10.0)
    assert confidence(DAILY, 1250, -3.0, 10.0, DAILY - error) == pytest.approx(0.841345, abs=5e-7)
    assert math.isnan(ratio_error(DAILY, 1, 0.0, 3.0))
    assert math.isnan(ratio_error(1.0, 10, 2.0, 1.0))
