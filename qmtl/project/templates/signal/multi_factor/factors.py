"""Factors: each a stream without a unit, about 0 on average, high where the strategy would like to be long."""

from qmtl.sdk import StreamInput, Vertex
from qmtl.sdk import indicators as ta

PERIOD = 96
"""Bars over which a factor is compared with itself."""


def momentum(price: StreamInput) -> Vertex:
    """The return over a day of 15-minute bars, as a z-score."""
    return ta.zscore(ta.returns(price, 96), PERIOD)


def reversion(price: StreamInput) -> Vertex:
    """How far the price is below its mean of 48 bars, as a z-score."""
    return -ta.zscore(price, 48)


def calm(price: StreamInput) -> Vertex:
    """How far the volatility is below its own mean, as a z-score."""
    return -ta.zscore(ta.rolling_vol(price, 48), PERIOD)
