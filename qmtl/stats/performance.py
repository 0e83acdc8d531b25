"""The metrics of the worlds' catalogue, from an equity curve and its round trips.

Returns are simple, per period, as fractions; drawdowns, value at risk and shortfall are positive fractions. What is
undefined (no losses, no spread, too few values) is left out, so that a gate fails closed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import refused
from qmtl.stats.drawdowns import drawdowns, ulcer_of
from qmtl.stats.moments import kurtosis, ratio, skewness
from qmtl.stats.ratios import gain_to_pain, sharpe, sortino, volatility
from qmtl.stats.returns import DAY_NS, DAYS_PER_YEAR, UTC_DAYS, Sessions, cagr, daily, returns_of, total_return
from qmtl.stats.significance import cv_sharpe, probabilistic_sharpe
from qmtl.stats.tails import expected_shortfall, value_at_risk
from qmtl.stats.trades import Trade, profit_factor, win_rate

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times

ANNUALISED_DAYS_MIN = 30
"""Growth over less than this is not compounded to a year: a good week would read as a fortune."""


def session_returns(time_ns: Times, equity: Floats, sessions: Sessions = UTC_DAYS) -> Floats:
    """Simple returns between the closes of sessions, the first since the first value."""
    _, closes = daily(time_ns, equity, sessions)
    return returns_of(np.concatenate([equity[:1], closes]))


def performance(
    time_ns: Times, equity: Floats, trades: Sequence[Trade], *, sessions: Sessions = UTC_DAYS
) -> dict[str, float]:
    """The catalogue's metrics of an equity curve (n values, account currency) and its round trips.

    Ratios use returns between the closes of sessions, annualised by how many sessions a year has (UTC days and 365 for
    markets that never close), growth only from 30 days on. `sample_days`, `n_trades` and `n_bars` are whole numbers.
    Undefined metrics are absent.
    """
    if len(time_ns) != len(equity) or len(equity) == 0:
        raise refused("E_EQUITY", "equity", f"{len(time_ns)} times, {len(equity)} values", "one value per time")
    per_year = sessions.per_year
    days = session_returns(time_ns, equity, sessions)
    held_days = float(time_ns[-1] - time_ns[0]) / DAY_NS
    years = held_days / DAYS_PER_YEAR
    cv_mean, cv_std = cv_sharpe(days, per_year)
    grown = years if held_days >= ANNUALISED_DAYS_MIN else 0.0
    growth, falls = cagr(equity, grown), drawdowns(equity)
    fallen = float(falls.max())
    profits = [trade.profit for trade in trades]
    found = {
        "sharpe": sharpe(days, per_year),
        "sortino": sortino(days, per_year),
        "volatility": volatility(days, per_year),
        "max_drawdown": fallen,
        "total_return": total_return(equity),
        "final_equity": float(equity[-1]),
        "cagr": growth,
        "calmar": ratio(growth, fallen),
        "gain_to_pain": gain_to_pain(days),
        "win_rate": win_rate(profits),
        "profit_factor": profit_factor(profits),
        "ulcer_index": ulcer_of(falls),
        "var_99": value_at_risk(days),
        "es_99": expected_shortfall(days),
        "es_975": expected_shortfall(days, 0.975),
        "sample_days": float(math.floor(held_days)),
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
