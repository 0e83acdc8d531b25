"""Metrics of what a strategy realised, over its daily returns in the hub: by the one library of statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from qmtl.stats.drawdowns import max_drawdown, ulcer_index
from qmtl.stats.moments import kurtosis, skewness
from qmtl.stats.ratios import gain_to_pain, sharpe, sortino, volatility
from qmtl.stats.tails import expected_shortfall, value_at_risk
from worldservice.risk.domain.returns import DailyReturns

DAYS_PER_YEAR = 365.25


def coverage(series: DailyReturns) -> float:
    """The share of the days from first to last, closed ones left out, that have a return."""
    span = series.days[-1] - series.days[0] + 1
    shut = sum(1 for day in series.closed if series.days[0] <= day <= series.days[-1])
    return len(series.days) / (span - shut) if span > shut else 0.0


def realised_metrics(series: DailyReturns) -> Mapping[str, float]:
    """Metrics of the catalogue by name; what is undefined is left out. At least one day.

    Ratios are annualised by the days a year that the strategy's calendar is open, as the span of the series shows it.
    """
    returns = np.array(series.values)
    span = series.days[-1] - series.days[0] + 1
    shut = sum(1 for day in series.closed if series.days[0] <= day <= series.days[-1])
    per_year = DAYS_PER_YEAR * (span - shut) / span
    equity = np.concatenate(([1.0], np.cumprod(1.0 + returns)))
    found = {
        "sharpe": sharpe(returns, per_year),
        "sortino": sortino(returns, per_year),
        "volatility": volatility(returns, per_year),
        "max_drawdown": max_drawdown(equity),
        "total_return": float(equity[-1]) - 1.0,
        "gain_to_pain": gain_to_pain(returns),
        "ulcer_index": ulcer_index(equity),
        "var_99": value_at_risk(returns),
        "es_99": expected_shortfall(returns),
        "es_975": expected_shortfall(returns, 0.975),
        "skewness": skewness(returns),
        "kurtosis": kurtosis(returns),
        "sample_days": float(len(returns)),
        "effective_history_years": len(returns) / per_year,
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}
