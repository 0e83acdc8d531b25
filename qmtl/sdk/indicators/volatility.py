"""Volatility: how far a stream moves, and how far it stands from its mean."""

from __future__ import annotations

import math

from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import BarCount, Parameter, ParameterType, bars_parameter
from qmtl.sdk.graph.vertices import FoldNode, Vertex
from qmtl.sdk.indicators.declaring import SOURCE, bars_of, indicator
from qmtl.sdk.indicators.windows import EQUAL, RING_HEAD, atr_push, ring_push, ring_squares, ring_sum


def atr_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    if not atr_push(state, 0, int(params[0]), x[0], x[1], x[2]):
        return False
    out[0] = state[3]
    return True


ATR = indicator(
    "atr",
    "Average true range, in price units.",
    atr_step,
    (bars_parameter("period", 14),),
    bars_of("high", "low", "close"),
    BarCount(1, {"period": 1}),
    BarCount(4),
    period=BarCount(per_parameter={"period": 1}),
)


def atr(bars: Vertex, period: int = 14, *, name: str = "") -> FoldNode:
    """Average true range: Wilder average of max(high-low, |high-close'|, |low-close'|), close' the previous close.

    Source: Wilder 1978, TA-Lib ATR. Input: bars. Shape: one number, in price units. Warm-up: period + 1.
    """
    return ATR.node({"period": period}, (bars, ""), name=name, label=f"atr_{period}")


def rolling_vol_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    previous = state[1]
    first = state[0] == 0.0
    state[0] = 1.0
    state[1] = x[0]
    if first:
        return False
    change = x[0] / previous - 1.0 if previous != 0.0 else 0.0
    if not ring_push(state, 2, n, change):
        return False
    mean = ring_sum(state, 2, n) / n
    out[0] = math.sqrt(ring_squares(state, 2, n, mean) / (n - 1.0)) * math.sqrt(params[1])
    return True


ROLLING_VOL = indicator(
    "rolling_vol",
    "Standard deviation of simple returns, annualised.",
    rolling_vol_step,
    (
        bars_parameter("period", 20, minimum=2),
        Parameter("periods_per_year", ParameterType.NUMBER, "bars", 1.0, above=0.0, maximum=1e9),
    ),
    SOURCE,
    BarCount(1, {"period": 1}),
    BarCount(2 + RING_HEAD, {"period": 1}),
    period=BarCount(per_parameter={"period": 1}),
)


def rolling_vol(
    source: Vertex, period: int = 20, *, periods_per_year: float = 1.0, field: str = "", name: str = ""
) -> FoldNode:
    """Volatility: sample standard deviation (n-1) of the last n simple returns, times sqrt(periods_per_year).

    periods_per_year 1 (default) leaves it per bar; 35,040 annualises 15-minute bars of a market that never closes.
    Shape: one number, a fraction. Warm-up: period + 1.
    """
    params = {"period": period, "periods_per_year": float(periods_per_year)}
    return ROLLING_VOL.node(params, (source, field), name=name, label=f"vol_{period}")


def zscore_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    if not ring_push(state, 0, n, x[0]):
        return False
    mean = ring_sum(state, 0, n) / n
    deviation = math.sqrt(ring_squares(state, 0, n, mean) / n)
    out[0] = (x[0] - mean) / deviation if deviation > EQUAL * abs(mean) else 0.0
    return True


ZSCORE = indicator(
    "zscore",
    "Distance from the mean, in standard deviations.",
    zscore_step,
    (bars_parameter("period", 20),),
    SOURCE,
    BarCount(per_parameter={"period": 1}),
    BarCount(RING_HEAD, {"period": 1}),
    version="1.1",
)


def zscore(source: Vertex, period: int = 20, *, field: str = "", name: str = "") -> FoldNode:
    """Distance from the mean of the last n values in population standard deviations; 0 where they
    are equal up to rounding.

    Source: (x - SMA) / TA-Lib STDDEV. Shape: one number, no unit. Warm-up: period.
    """
    return ZSCORE.node({"period": period}, (source, field), name=name, label=f"zscore_{period}")
