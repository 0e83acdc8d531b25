"""Bands around a mean: Bollinger and Keltner."""

from __future__ import annotations

import math

from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import BarCount, Ordering, bars_parameter
from qmtl.sdk.graph.vertices import FoldNode, Vertex
from qmtl.sdk.indicators.declaring import BANDS, SOURCE, bars_of, factor, indicator
from qmtl.sdk.indicators.windows import RING_HEAD, atr_push, ema_push, ring_push, ring_squares, ring_sum


def bollinger_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    if not ring_push(state, 0, n, x[0]):
        return False
    mean = ring_sum(state, 0, n) / n
    reach = params[1] * math.sqrt(ring_squares(state, 0, n, mean) / n)
    out[0], out[1], out[2] = mean + reach, mean, mean - reach
    return True


BOLLINGER = indicator(
    "bollinger",
    "Mean and standard deviations around it.",
    bollinger_step,
    (bars_parameter("period", 20), factor("deviations", "standard deviations", 2.0)),
    SOURCE,
    BarCount(0, {"period": 1}),
    BarCount(RING_HEAD, {"period": 1}),
    BANDS,
)


def bollinger(
    source: Vertex, period: int = 20, deviations: float = 2.0, *, field: str = "", name: str = ""
) -> FoldNode:
    """Bollinger bands: SMA(n) +- k population standard deviations of the last n values.

    Source: Bollinger 2001, TA-Lib BBANDS (which takes a variance below 1e-14 for 0; this does not).
    Shape: (upper, middle, lower), in the input's unit. Warm-up: period.
    """
    params = {"period": period, "deviations": float(deviations)}
    return BOLLINGER.node(params, (source, field), name=name, label=f"bollinger_{period}")


def keltner_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    high, low, close = x[0], x[1], x[2]
    middle = ema_push(state, 0, int(params[0]), close)
    ranged = atr_push(state, 2, int(params[1]), high, low, close)
    if not (middle and ranged):
        return False
    reach = params[2] * state[5]
    out[0], out[1], out[2] = state[1] + reach, state[1], state[1] - reach
    return True


KELTNER = indicator(
    "keltner",
    "Exponential average and average true ranges around it.",
    keltner_step,
    (bars_parameter("period", 20), bars_parameter("atr_period", 10), factor("multiplier", "average true ranges", 2.0)),
    bars_of("high", "low", "close"),
    BarCount(0, {"period": 1}),
    BarCount(6),
    BANDS,
    (Ordering("atr_period", "period", strict=True),),
)


def keltner(
    bars: Vertex, period: int = 20, atr_period: int = 10, multiplier: float = 2.0, *, name: str = ""
) -> FoldNode:
    """Keltner channels: EMA(close, n) +- k ATR(m), m less than n.

    Source: Keltner 1960 in the form of Raschke. Input: bars. Shape: (upper, middle, lower), in price units.
    Warm-up: period.
    """
    params = {"period": period, "atr_period": atr_period, "multiplier": float(multiplier)}
    return KELTNER.node(params, (bars, ""), name=name, label=f"keltner_{period}")
