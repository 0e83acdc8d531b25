"""Falls below the running peak of an equity curve, as positive fractions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qmtl.stats.moments import mean

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats


def drawdowns(equity: Floats) -> Floats:
    """Distance below the running peak, a positive fraction per value, shape (n,)."""
    peak = np.maximum.accumulate(equity)
    return (peak - equity) / peak


def max_drawdown(equity: Floats) -> float:
    """Largest fall from a peak, as a positive fraction of that peak."""
    return float(drawdowns(equity).max()) if len(equity) else math.nan


def ulcer_index(equity: Floats) -> float:
    """Root mean square of the drawdowns, in percent. (Martin and McCann 1989.)"""
    return ulcer_of(drawdowns(equity))


def ulcer_of(falls: Floats) -> float:
    """As ulcer_index, of drawdowns that are known."""
    return 100.0 * math.sqrt(mean(falls**2)) if len(falls) else math.nan
