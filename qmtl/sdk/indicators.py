"""Indicators: built-in causal streams, by TA-Lib's definitions where it has them.

Every function takes an input stream and `field`, the column to read (default: the input's main column, close
for bars), and returns a node. Shape is one row per event; "warm-up" is the number of inputs up to and
including the first value. Gaps in the data are not filled: a window is the last n bars that exist.
"""

from __future__ import annotations

from qmtl.core.identity.canonical import Json
from qmtl.sdk import kernels as k
from qmtl.sdk.graph.fold import Fold
from qmtl.sdk.graph.names import check_period, refused
from qmtl.sdk.graph.schemas import Schema
from qmtl.sdk.graph.vertices import FoldNode, Vertex

MACD = Schema("qmtl.macd.v1", ("macd", "signal", "histogram"), "histogram")


def sma(source: Vertex, period: int, *, field: str = "", name: str = "") -> FoldNode:
    """Simple moving average: sum of the last n values / n, summed oldest to newest. (TA-Lib SMA.)

    Shape: one number, in the input's unit. Warm-up: period.
    """
    check_period(period)
    fold = Fold("sma", k.sma_step, (float(period),), k.RING_HEAD + period, 1, 1, period)
    return _node("sma", fold, source, field, {"period": period}, period, name, f"sma_{period}")


def ema(source: Vertex, period: int, *, field: str = "", name: str = "") -> FoldNode:
    """Exponential moving average: e += (x - e) * 2/(n+1), seeded by the mean of the first n values. (TA-Lib EMA.)

    Shape: one number, in the input's unit. Warm-up: period.
    """
    check_period(period)
    fold = Fold("ema", k.ema_step, (float(period),), 2, 1, 1, period)
    return _node("ema", fold, source, field, {"period": period}, period, name, f"ema_{period}")


def rsi(source: Vertex, period: int = 14, *, field: str = "", name: str = "") -> FoldNode:
    """Relative strength index: 100 * G/(G+L) of Wilder averages of gains and losses; 0 if nothing moved.

    Source: Wilder 1978, TA-Lib RSI. Shape: one number, 0 to 100. Warm-up: period + 1.
    """
    check_period(period)
    fold = Fold("rsi", k.rsi_step, (float(period),), 6, 1, 1, period + 1)
    return _node("rsi", fold, source, field, {"period": period}, period, name, f"rsi_{period}")


def macd(
    source: Vertex, fast: int = 12, slow: int = 26, signal: int = 9, *, field: str = "", name: str = ""
) -> FoldNode:
    """Moving average convergence/divergence: EMA(fast) - EMA(slow), its EMA(signal), and their difference.

    Source: Appel 1979, TA-Lib MACD, which seeds the fast average so late that both start on one bar.
    Shape: (macd, signal, histogram), in the input's unit. Warm-up: slow + signal - 1.
    """
    for label, value in (("fast", fast), ("slow", slow), ("signal", signal)):
        check_period(value, label)
    if fast >= slow:
        raise refused("E_PERIOD", "fast", fast, f"less than slow ({slow})")
    warmup = slow + signal - 1
    fold = Fold("macd", k.macd_step, (float(fast), float(slow), float(signal)), 7, 1, 3, warmup)
    params: dict[str, Json] = {"fast": fast, "slow": slow, "signal": signal}
    columns = [(source, field or source.schema.default)]
    label = f"macd_{fast}_{slow}_{signal}"
    return FoldNode("indicator.macd", fold, columns, params, period=warmup, schema=MACD, name=name, label=label)


def atr(bars: Vertex, period: int = 14, *, name: str = "") -> FoldNode:
    """Average true range: Wilder average of max(high-low, |high-close'|, |low-close'|), close' the previous close.

    Source: Wilder 1978, TA-Lib ATR. Input: bars. Shape: one number, in price units. Warm-up: period + 1.
    """
    check_period(period)
    fold = Fold("atr", k.atr_step, (float(period),), 4, 3, 1, period + 1)
    columns = [(bars, field) for field in ("high", "low", "close")]
    return FoldNode("indicator.atr", fold, columns, {"period": period}, period=period, name=name, label=f"atr_{period}")


def returns(source: Vertex, period: int = 1, *, field: str = "", name: str = "") -> FoldNode:
    """Simple return over n bars: x / x[n bars ago] - 1; 0 after a zero. (TA-Lib ROCP.)

    Shape: one number, a fraction. Warm-up: period + 1.
    """
    check_period(period)
    fold = Fold("returns", k.returns_step, (float(period),), k.RING_HEAD + period, 1, 1, period + 1)
    return _node("returns", fold, source, field, {"period": period}, period, name, f"returns_{period}")


def rolling_vol(
    source: Vertex, period: int = 20, *, periods_per_year: float = 1.0, field: str = "", name: str = ""
) -> FoldNode:
    """Volatility: sample standard deviation (n-1) of the last n simple returns, times sqrt(periods_per_year).

    periods_per_year 1 (default) leaves it per bar; 35,040 annualises 15-minute bars of a market that never closes.
    Shape: one number, a fraction. Warm-up: period + 1.
    """
    if check_period(period) < 2:
        raise refused("E_PERIOD", "period", period, "at least 2: one return has no spread")
    if not 0.0 < periods_per_year < 1e9:
        raise refused("E_ANNUALISATION", "periods_per_year", periods_per_year, "more than 0")
    params = (float(period), float(periods_per_year))
    fold = Fold("rolling_vol", k.rolling_vol_step, params, 2 + k.RING_HEAD + period, 1, 1, period + 1)
    said: dict[str, Json] = {"period": period, "periods_per_year": float(periods_per_year)}
    return _node("rolling_vol", fold, source, field, said, period, name, f"vol_{period}")


def zscore(source: Vertex, period: int = 20, *, field: str = "", name: str = "") -> FoldNode:
    """Distance from the mean of the last n values in population standard deviations; 0 where they are all equal.

    Source: (x - SMA) / TA-Lib STDDEV. Shape: one number, no unit. Warm-up: period.
    """
    check_period(period)
    fold = Fold("zscore", k.zscore_step, (float(period),), k.RING_HEAD + period, 1, 1, period)
    return _node("zscore", fold, source, field, {"period": period}, period, name, f"zscore_{period}")


def _node(
    kind: str,
    fold: Fold,
    source: Vertex,
    field: str,
    params: dict[str, Json],
    period: int,
    name: str,
    label: str,
) -> FoldNode:
    columns = [(source, field or source.schema.default)]
    return FoldNode(f"indicator.{kind}", fold, columns, params, period=period, name=name, label=label)
