"""Returns and growth of an equity curve. Returns are simple, per period, as fractions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.instants import NS_PER_S

if TYPE_CHECKING:
    from qmtl.core.arrays import Floats, Times

DAYS_PER_YEAR = 365.25
DAY_NS = 86_400 * NS_PER_S


def returns_of(equity: Floats) -> Floats:
    """Simple returns of consecutive equity values, shape (n-1,)."""
    return equity[1:] / equity[:-1] - 1.0


def daily(time_ns: Times, equity: Floats) -> tuple[Times, Floats]:
    """The last equity of each UTC day that has one, with that day's end; the first value stands before them."""
    days = (time_ns - 1) // DAY_NS
    last = np.flatnonzero(np.append(np.diff(days) != 0, True))
    return (days[last] + 1) * DAY_NS, equity[last]


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
