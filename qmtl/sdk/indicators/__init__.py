"""Indicators: built-in causal streams, by TA-Lib's definitions where it has them.

Every function takes an input stream and `field`, the column to read (default: the input's main column, close
for bars), and returns a node. Shape is one row per event; "warm-up" is the number of inputs up to and
including the first value. Gaps in the data are not filled: a window is the last n bars that exist.
"""

from qmtl.sdk.indicators.bands import bollinger, keltner
from qmtl.sdk.indicators.book import (
    book_imbalance,
    depth_slope,
    execution_imbalance,
    microprice,
    order_flow_imbalance,
    spread_zscore,
)
from qmtl.sdk.indicators.changes import rate_of_change, returns
from qmtl.sdk.indicators.levels import chandelier_exit, ichimoku, kalman_trend, supertrend
from qmtl.sdk.indicators.momentum import rsi
from qmtl.sdk.indicators.oscillators import kdj, stoch_rsi, stochastic
from qmtl.sdk.indicators.performance import alpha_drawdown, alpha_linearity, alpha_returns, alpha_sharpe
from qmtl.sdk.indicators.trend import ema, macd, sma, wma
from qmtl.sdk.indicators.volatility import atr, rolling_vol, zscore
from qmtl.sdk.indicators.volume import anchored_vwap, money_flow, obv, relative_volume, twap, vwap

__all__ = [
    "alpha_drawdown",
    "alpha_linearity",
    "alpha_returns",
    "alpha_sharpe",
    "anchored_vwap",
    "atr",
    "bollinger",
    "book_imbalance",
    "chandelier_exit",
    "depth_slope",
    "ema",
    "execution_imbalance",
    "ichimoku",
    "kalman_trend",
    "kdj",
    "keltner",
    "macd",
    "microprice",
    "money_flow",
    "obv",
    "order_flow_imbalance",
    "rate_of_change",
    "relative_volume",
    "returns",
    "rolling_vol",
    "rsi",
    "sma",
    "spread_zscore",
    "stoch_rsi",
    "stochastic",
    "supertrend",
    "twap",
    "vwap",
    "wma",
    "zscore",
]
