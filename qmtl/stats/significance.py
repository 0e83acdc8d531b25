"""How far a Sharpe ratio may be luck: length, skew and tails of the sample, and how many were tried."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import refused
from qmtl.stats.moments import kurtosis, mean, sample_deviation, skewness
from qmtl.stats.ratios import sharpe

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats

CV_FOLDS = 5
_NORMAL = NormalDist()
_EULER_GAMMA = 0.5772156649015329


def probabilistic_sharpe(returns: Floats, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio (per period) exceeds `benchmark` (per period)."""
    return confidence(sharpe(returns, 1.0), len(returns), skewness(returns), kurtosis(returns), benchmark)


def confidence(ratio: float, count: int, skew: float, kurt: float, benchmark: float) -> float:
    """Probability that the true Sharpe ratio exceeds a benchmark, from the moments of `count` returns.

    PSR = Phi((SR - SR*) sqrt(n-1) / sqrt(1 - g3 SR + (g4-1)/4 SR^2)), all per period; g4 is 3 for a normal
    distribution. (Bailey and Lopez de Prado 2012.)
    """
    spread = 1.0 - skew * ratio + (kurt - 1.0) / 4.0 * ratio * ratio
    if not math.isfinite(spread) or spread <= 0.0:
        return math.nan
    return _NORMAL.cdf((ratio - benchmark) * math.sqrt(count - 1.0) / math.sqrt(spread))


def deflated_sharpe(returns: Floats, trials: int, trial_sharpe_std: float) -> float:
    """PSR against the best Sharpe expected of `trials` skill-less tries. (Bailey and Lopez de Prado 2014.)"""
    return probabilistic_sharpe(returns, best_expected_sharpe(trials, trial_sharpe_std))


def best_expected_sharpe(trials: int, trial_sharpe_std: float) -> float:
    """The best Sharpe ratio expected of skill-less tries whose Sharpe ratios spread by the given std, per period.

    SR* = std * ((1 - g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e))), g Euler's constant. One trial: 0.
    (Bailey and Lopez de Prado 2014.)
    """
    if trials < 1:
        raise refused("E_TRIALS", "trials", trials, "at least 1")
    if trials == 1:
        return 0.0
    inverse: Callable[[float], float] = _NORMAL.inv_cdf
    expected = (1.0 - _EULER_GAMMA) * inverse(1.0 - 1.0 / trials)
    expected += _EULER_GAMMA * inverse(1.0 - 1.0 / (trials * math.e))
    return trial_sharpe_std * expected


def cv_sharpe(returns: Floats, periods_per_year: float, folds: int = CV_FOLDS) -> tuple[float, float]:
    """Mean and sample std of the Sharpe ratios of `folds` contiguous, nearly equal parts of the history."""
    if len(returns) < 2 * folds:
        return math.nan, math.nan
    ratios = np.array([sharpe(part, periods_per_year) for part in np.array_split(returns, folds)])
    return mean(ratios), sample_deviation(ratios)


def ratio_error(ratio: float, count: int, skew: float, kurt: float) -> float:
    """Standard error of a Sharpe ratio per period: sqrt((1 - g3 SR + (g4-1)/4 SR^2) / (n-1)). (Lo 2002, Mertens 2002.)

    NaN where the moments give none.
    """
    spread = 1.0 - skew * ratio + (kurt - 1.0) / 4.0 * ratio * ratio
    return math.sqrt(spread / (count - 1.0)) if count > 1 and math.isfinite(spread) and spread > 0.0 else math.nan


def track_record_length(ratio: float, skew: float, kurt: float, benchmark: float = 0.0, level: float = 0.95) -> float:
    """Periods until a Sharpe ratio like this one exceeds `benchmark` with confidence `level`; all per period.

    MinTRL = 1 + (1 - g3 SR + (g4-1)/4 SR^2) (z / (SR - SR*))^2. Infinite where the ratio is not above the benchmark.
    (Bailey and Lopez de Prado 2012.)
    """
    if not ratio > benchmark:
        return math.nan if math.isnan(ratio) else math.inf
    spread = 1.0 - skew * ratio + (kurt - 1.0) / 4.0 * ratio * ratio
    return 1.0 + spread * (_NORMAL.inv_cdf(level) / (ratio - benchmark)) ** 2
