"""Indicators: built-in causal streams, by TA-Lib's definitions where it has them.

Every function takes an input stream and `field`, the column to read (default: the input's main column, close
for bars), and returns a node. Shape is one row per event; "warm-up" is the number of inputs up to and
including the first value. Gaps in the data are not filled: a window is the last n bars that exist.
"""

from qmtl.sdk.indicators.changes import returns
from qmtl.sdk.indicators.momentum import rsi
from qmtl.sdk.indicators.trend import ema, macd, sma
from qmtl.sdk.indicators.volatility import atr, rolling_vol, zscore

__all__ = ["atr", "ema", "macd", "returns", "rolling_vol", "rsi", "sma", "zscore"]
