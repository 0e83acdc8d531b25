"""Historical tail risk of returns, as positive fractions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qmtl.stats.moments import mean

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats


def value_at_risk(returns: Floats, level: float = 0.99) -> float:
    """Historical value at risk: minus the (1 - level) quantile of returns (linear interpolation), not below 0."""
    return max(0.0, -float(np.quantile(returns, 1.0 - level))) if len(returns) else math.nan


def expected_shortfall(returns: Floats, level: float = 0.99) -> float:
    """Minus the mean of the returns at or below that quantile, not below 0. (Acerbi and Tasche 2002.)"""
    if not len(returns):
        return math.nan
    return max(0.0, -mean(returns[returns <= np.quantile(returns, 1.0 - level)]))
