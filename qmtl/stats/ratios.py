"""Risk-adjusted return. Annualisation is always an explicit `periods_per_year`; a ratio without a spread is NaN."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qmtl.stats.drawdowns import max_drawdown
from qmtl.stats.moments import mean, ratio, sample_deviation
from qmtl.stats.returns import cagr

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats


def sharpe(returns: Floats, periods_per_year: float, risk_free: float = 0.0) -> float:
    """Sharpe ratio: mean(r - rf) / std(r - rf, n-1) * sqrt(periods_per_year); rf per period. (Sharpe 1994.)"""
    excess = returns - risk_free
    return ratio(mean(excess), sample_deviation(excess)) * math.sqrt(periods_per_year)


def sortino(returns: Floats, periods_per_year: float, target: float = 0.0) -> float:
    """Sortino ratio: mean(r - t) / sqrt(mean(min(r - t, 0)^2)) * sqrt(periods_per_year). (Sortino and Price 1994.)"""
    excess = returns - target
    downside = math.sqrt(mean(np.minimum(excess, 0.0) ** 2)) if len(excess) else math.nan
    return ratio(mean(excess), downside) * math.sqrt(periods_per_year)


def volatility(returns: Floats, periods_per_year: float) -> float:
    """Sample standard deviation of returns times sqrt(periods_per_year), a fraction."""
    return sample_deviation(returns) * math.sqrt(periods_per_year)


def calmar(equity: Floats, years: float) -> float:
    """cagr / max_drawdown. (Young 1991, over the whole history instead of 36 months.)"""
    return ratio(cagr(equity, years), max_drawdown(equity))


def gain_to_pain(returns: Floats) -> float:
    """Sum of returns / absolute sum of the negative ones. (Schwager 2012.)"""
    return ratio(float(returns.sum()), float(-returns[returns < 0.0].sum()))
