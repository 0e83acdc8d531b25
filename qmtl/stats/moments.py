"""Moments of a sample; NaN where a sample is too small, or has too little spread, to have one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats


ROUNDING = 64 * 2.0**-52
"""Spread of equal returns: each is a quotient less one, so constants differ by a few roundings of 1. Not a spread."""


def mean(values: Floats) -> float:
    """Arithmetic mean; NaN of no values."""
    return float(values.mean()) if len(values) else math.nan


def sample_deviation(values: Floats) -> float:
    """Standard deviation over n-1; NaN of fewer than two values."""
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def skewness(returns: Floats) -> float:
    """Third standardised moment, population form."""
    return _standardised(returns, 3)


def kurtosis(returns: Floats) -> float:
    """Fourth standardised moment, population form: 3 for a normal distribution."""
    return _standardised(returns, 4)


def ratio(above: float, below: float) -> float:
    """A quotient of returns; NaN over what is not more than rounding."""
    return above / below if below > ROUNDING else math.nan


def _standardised(values: Floats, order: int) -> float:
    deviation = float(values.std()) if len(values) else math.nan
    return float((((values - values.mean()) / deviation) ** order).mean()) if deviation > ROUNDING else math.nan
