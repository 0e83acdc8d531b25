"""Returns and growth of an equity curve. Returns are simple, per period, as fractions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.instants import NS_PER_S

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times

DAYS_PER_YEAR = 365.25
DAY_NS = 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """The days of a market: how many a year has, and when each ends, in order; `closes` None: at UTC midnight."""

    per_year: float = 365.0
    closes: Times | None = None

    def __hash__(self) -> int:
        """Of what tells sessions apart as a rule; comparing arrays is left to equality."""
        return hash((self.per_year, -1 if self.closes is None else len(self.closes)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sessions):
            return NotImplemented
        mine, theirs = (np.zeros(0) if one.closes is None else one.closes for one in (self, other))
        same = (self.closes is None) == (other.closes is None) and np.array_equal(mine, theirs)
        return same and self.per_year == other.per_year


UTC_DAYS = Sessions()
"""Of markets that never close, and of several markets together."""


def returns_of(equity: Floats) -> Floats:
    """Simple returns of consecutive equity values, shape (n-1,)."""
    return equity[1:] / equity[:-1] - 1.0


def daily(time_ns: Times, equity: Floats, sessions: Sessions = UTC_DAYS) -> tuple[Times, Floats]:
    """The last equity of each session that has one, with that session's end; times are in order. What comes after a
    close is of the next session. Times after the last close known end at themselves, as one session.
    """
    if sessions.closes is None:
        ends = DAY_NS * np.arange((int(time_ns[0]) - 1) // DAY_NS + 1, (int(time_ns[-1]) - 1) // DAY_NS + 2)
    else:
        ends = sessions.closes
        if not len(ends) or time_ns[-1] > ends[-1]:
            ends = np.append(ends, time_ns[-1:])
    before = np.searchsorted(time_ns, ends, side="right")
    some = np.diff(before, prepend=0) > 0
    return ends[some], equity[before[some] - 1]


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
