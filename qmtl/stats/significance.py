"""How far a Sharpe ratio may be luck: length, skew and tails of the sample, and how many were tried."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from qmtl.core.arrays import Floats
from qmtl.core.errors import refused
from qmtl.stats.moments import kurtosis, mean, sample_deviation, skewness
from qmtl.stats.ratios import sharpe

CV_FOLDS = 5
_NORMAL = NormalDist()
_EULER_GAMMA = 0.5772156649015329


def probabilistic_sharpe(returns: Floats, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio (per period) exceeds `benchmark` (per period).

    PSR = Phi((SR - SR*) sqrt(n-1) / sqrt(1 - g3 SR + (g4-1)/4 SR^2)). (Bailey and Lopez de Prado 2012.)
    """
    ratio = sharpe(returns, 1.0)
    spread = 1.0 - skewness(returns) * ratio + (kurtosis(returns) - 1.0) / 4.0 * ratio * ratio
    if not math.isfinite(spread) or spread <= 0.0:
        return math.nan
    return _NORMAL.cdf((ratio - benchmark) * math.sqrt(len(returns) - 1.0) / math.sqrt(spread))


def deflated_sharpe(returns: Floats, trials: int, trial_sharpe_std: float) -> float:
    """PSR against the best Sharpe expected of `trials` skill-less tries whose Sharpe ratios spread by the given std.

    SR* = std * ((1 - g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e))), g Euler's constant; std per period.
    (Bailey and Lopez de Prado 2014.) One trial: SR* = 0.
    """
    if trials < 1:
        raise refused("E_TRIALS", "trials", trials, "at least 1")
    if trials == 1:
        return probabilistic_sharpe(returns)
    inverse: Callable[[float], float] = _NORMAL.inv_cdf
    expected = (1.0 - _EULER_GAMMA) * inverse(1.0 - 1.0 / trials)
    expected += _EULER_GAMMA * inverse(1.0 - 1.0 / (trials * math.e))
    return probabilistic_sharpe(returns, trial_sharpe_std * expected)


def cv_sharpe(returns: Floats, periods_per_year: float, folds: int = CV_FOLDS) -> tuple[float, float]:
    """Mean and sample std of the Sharpe ratios of `folds` contiguous, nearly equal parts of the history."""
    if len(returns) < 2 * folds:
        return math.nan, math.nan
    ratios = np.array([sharpe(part, periods_per_year) for part in np.array_split(returns, folds)])
    return mean(ratios), sample_deviation(ratios)
