"""Moments of a sample; NaN where a sample is too small to have one."""

from __future__ import annotations

import math

from qmtl.core.arrays import Floats


def skewness(returns: Floats) -> float:
    """Third standardised moment, population form."""
    return _moment(returns, 3)


def kurtosis(returns: Floats) -> float:
    """Fourth standardised moment, population form: 3 for a normal distribution."""
    return _moment(returns, 4)


def mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def sample_deviation(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _moment(values: Floats, order: int) -> float:
    deviation = float(values.std()) if len(values) else math.nan
    return float((((values - values.mean()) / deviation) ** order).mean()) if deviation > 0.0 else math.nan


def ratio(above: float, below: float) -> float:
    return above / below if below > 0.0 else math.nan
