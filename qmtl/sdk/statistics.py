"""Performance statistics, one function each, with formula and source. Names equal the worlds' metric catalogue.

Returns are simple, per period, as fractions; drawdowns, value at risk and shortfall are positive fractions.
Annualisation is always an explicit `periods_per_year`. What is undefined (no losses, no spread, too few
values) is NaN, never a large stand-in; `performance` leaves such a metric out, so that a gate fails closed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from qmtl.sdk.bars import Times
from qmtl.sdk.folds import Floats
from qmtl.sdk.words import NS_PER_S, refused

DAYS_PER_YEAR = 365.25
CV_FOLDS = 5
ANNUALISED_DAYS_MIN = 30
"""Growth over less than this is not compounded to a year: a good week would read as a fortune."""
_DAY_NS = 86_400 * NS_PER_S
_NORMAL = NormalDist()
_EULER_GAMMA = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Trade:
    """A round trip, flat to flat (or through zero): net profit in account currency, and when it ended."""

    closed_ns: int
    profit: float


def returns_of(equity: Floats) -> Floats:
    """Simple returns of consecutive equity values, shape (n-1,)."""
    return equity[1:] / equity[:-1] - 1.0


def daily(time_ns: Times, equity: Floats) -> tuple[Times, Floats]:
    """The last equity of each UTC day that has one, with that day's end; the first value stands before them."""
    days = (time_ns - 1) // _DAY_NS
    last = np.flatnonzero(np.append(np.diff(days) != 0, True))
    return (days[last] + 1) * _DAY_NS, equity[last]


def sharpe(returns: Floats, periods_per_year: float, risk_free: float = 0.0) -> float:
    """Sharpe ratio: mean(r - rf) / std(r - rf, n-1) * sqrt(periods_per_year); rf per period. (Sharpe 1994.)"""
    excess = returns - risk_free
    return _ratio(_mean(excess), _std(excess)) * math.sqrt(periods_per_year)


def sortino(returns: Floats, periods_per_year: float, target: float = 0.0) -> float:
    """Sortino ratio: mean(r - t) / sqrt(mean(min(r - t, 0)^2)) * sqrt(periods_per_year). (Sortino and Price 1994.)"""
    excess = returns - target
    downside = math.sqrt(_mean(np.minimum(excess, 0.0) ** 2)) if len(excess) else math.nan
    return _ratio(_mean(excess), downside) * math.sqrt(periods_per_year)


def volatility(returns: Floats, periods_per_year: float) -> float:
    """Sample standard deviation of returns times sqrt(periods_per_year), a fraction."""
    return _std(returns) * math.sqrt(periods_per_year)


def drawdowns(equity: Floats) -> Floats:
    """Distance below the running peak, a positive fraction per value, shape (n,)."""
    peak = np.maximum.accumulate(equity)
    return (peak - equity) / peak


def max_drawdown(equity: Floats) -> float:
    """Largest fall from a peak, as a positive fraction of that peak."""
    return float(drawdowns(equity).max()) if len(equity) else math.nan


def ulcer_index(equity: Floats) -> float:
    """Root mean square of the drawdowns, in percent. (Martin and McCann 1989.)"""
    return 100.0 * math.sqrt(_mean(drawdowns(equity) ** 2)) if len(equity) else math.nan


def total_return(equity: Floats) -> float:
    """Last over first, minus 1."""
    return float(equity[-1] / equity[0] - 1.0) if len(equity) > 1 else math.nan


def cagr(equity: Floats, years: float) -> float:
    """Compound annual growth rate: (last / first)^(1/years) - 1. NaN if all was lost or no time passed."""
    if len(equity) < 2 or years <= 0.0 or equity[-1] <= 0.0 or equity[0] <= 0.0:
        return math.nan
    try:
        return math.pow(float(equity[-1] / equity[0]), 1.0 / years) - 1.0
    except OverflowError:
        return math.nan


def calmar(equity: Floats, years: float) -> float:
    """cagr / max_drawdown. (Young 1991, over the whole history instead of 36 months.)"""
    return _ratio(cagr(equity, years), max_drawdown(equity))


def gain_to_pain(returns: Floats) -> float:
    """Sum of returns / absolute sum of the negative ones. (Schwager 2012.)"""
    return _ratio(float(returns.sum()), float(-returns[returns < 0.0].sum()))


def win_rate(profits: Sequence[float]) -> float:
    """Share of round trips with a profit above 0, costs included."""
    return sum(profit > 0.0 for profit in profits) / len(profits) if profits else math.nan


def profit_factor(profits: Sequence[float]) -> float:
    """Sum of winning profits / sum of losing ones. NaN without a loss."""
    lost = -sum(profit for profit in profits if profit < 0.0)
    return _ratio(sum(profit for profit in profits if profit > 0.0), lost)


def value_at_risk(returns: Floats, level: float = 0.99) -> float:
    """Historical value at risk: minus the (1 - level) quantile of returns (linear interpolation), not below 0."""
    return max(0.0, -float(np.quantile(returns, 1.0 - level))) if len(returns) else math.nan


def expected_shortfall(returns: Floats, level: float = 0.99) -> float:
    """Minus the mean of the returns at or below that quantile, not below 0. (Acerbi and Tasche 2002.)"""
    if not len(returns):
        return math.nan
    return max(0.0, -_mean(returns[returns <= np.quantile(returns, 1.0 - level)]))


def skewness(returns: Floats) -> float:
    """Third standardised moment, population form."""
    return _moment(returns, 3)


def kurtosis(returns: Floats) -> float:
    """Fourth standardised moment, population form: 3 for a normal distribution."""
    return _moment(returns, 4)


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
    return _mean(ratios), _std(ratios)


def performance(
    time_ns: Times, equity: Floats, trades: Sequence[Trade], *, periods_per_year: float = 365.0
) -> dict[str, float]:
    """The catalogue's metrics of an equity curve (n values, account currency) and its round trips.

    Ratios use daily returns (UTC days), annualised by `periods_per_year` days (365 for markets that never close,
    252 for stocks), growth only from 30 days on. `sample_days`, `n_trades` and `n_bars` are whole numbers.
    Undefined metrics are absent.
    """
    if len(time_ns) != len(equity) or len(equity) == 0:
        raise refused("E_EQUITY", "equity", f"{len(time_ns)} times, {len(equity)} values", "one value per time")
    _, closes = daily(time_ns, equity)
    days = returns_of(np.concatenate([equity[:1], closes]))
    years = float(time_ns[-1] - time_ns[0]) / _DAY_NS / DAYS_PER_YEAR
    cv_mean, cv_std = cv_sharpe(days, periods_per_year)
    grown = years if years * DAYS_PER_YEAR >= ANNUALISED_DAYS_MIN else 0.0
    profits = [trade.profit for trade in trades]
    found = {
        "sharpe": sharpe(days, periods_per_year),
        "sortino": sortino(days, periods_per_year),
        "volatility": volatility(days, periods_per_year),
        "max_drawdown": max_drawdown(equity),
        "total_return": total_return(equity),
        "final_equity": float(equity[-1]),
        "cagr": cagr(equity, grown),
        "calmar": calmar(equity, grown),
        "gain_to_pain": gain_to_pain(days),
        "win_rate": win_rate(profits),
        "profit_factor": profit_factor(profits),
        "ulcer_index": ulcer_index(equity),
        "var_99": value_at_risk(days),
        "es_99": expected_shortfall(days),
        "sample_days": float((time_ns[-1] - time_ns[0]) // _DAY_NS),
        "n_trades": float(len(trades)),
        "n_bars": float(len(time_ns)),
        "effective_history_years": years,
        "skewness": skewness(days),
        "kurtosis": kurtosis(days),
        "probabilistic_sharpe": probabilistic_sharpe(days),
        "cv_sharpe_mean": cv_mean,
        "cv_sharpe_std": cv_std,
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _std(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _moment(values: Floats, order: int) -> float:
    deviation = float(values.std()) if len(values) else math.nan
    return float((((values - values.mean()) / deviation) ** order).mean()) if deviation > 0.0 else math.nan


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0.0 else math.nan
