"""Averages that follow a stream: SMA, EMA, WMA, and the difference of two EMAs (MACD)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import BarCount, Ordering, bars_parameter
from qmtl.sdk.graph.schemas import Schema
from qmtl.sdk.graph.vertices import FoldNode, Vertex
from qmtl.sdk.indicators.declaring import SOURCE, indicator
from qmtl.sdk.indicators.windows import RING_HEAD, ema_push, ring_back, ring_push, ring_sum, ring_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qmtl.core.arrays.types import Floats

MACD_LINES = Schema("qmtl.macd.v1", ("macd", "signal", "histogram"), "histogram")


def sma_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    if not ring_push(state, 0, n, x[0]):
        return False
    out[0] = ring_sum(state, 0, n) / n
    return True


def sma_whole(state: list[float], params: tuple[float, ...], xs: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    n = int(params[0])
    sums, rows, emitted = ring_sums(state, n, xs[:, 0]), np.empty((len(xs), 1)), np.ones(len(xs), dtype=np.bool_)
    first = len(xs) - len(sums)
    rows[:first], emitted[:first] = np.nan, False
    np.divide(sums, n, out=rows[first:, 0])
    return rows, emitted


SMA = indicator(
    "sma",
    "Simple moving average.",
    sma_step,
    (bars_parameter("period"),),
    SOURCE,
    BarCount(per_parameter={"period": 1}),
    BarCount(RING_HEAD, {"period": 1}),
    whole=sma_whole,
)


def sma(source: Vertex, period: int, *, field: str = "", name: str = "") -> FoldNode:
    """Simple moving average: sum of the last n values / n, summed oldest to newest. (TA-Lib SMA.)

    Shape: one number, in the input's unit. Warm-up: period.
    """
    return SMA.node({"period": period}, (source, field), name=name, label=f"sma_{period}")


def ema_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    if not ema_push(state, 0, int(params[0]), x[0]):
        return False
    out[0] = state[1]
    return True


EMA = indicator(
    "ema",
    "Exponential moving average.",
    ema_step,
    (bars_parameter("period"),),
    SOURCE,
    BarCount(per_parameter={"period": 1}),
    BarCount(2),
)


def ema(source: Vertex, period: int, *, field: str = "", name: str = "") -> FoldNode:
    """Exponential moving average: e += (x - e) * 2/(n+1), seeded by the mean of the first n values. (TA-Lib EMA.)

    Shape: one number, in the input's unit. Warm-up: period.
    """
    return EMA.node({"period": period}, (source, field), name=name, label=f"ema_{period}")


def wma_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    if not ring_push(state, 0, n, x[0]):
        return False
    total = 0.0
    for i in range(n):
        total += ring_back(state, 0, n, n - 1 - i) * (i + 1.0)
    out[0] = total / (n * (n + 1.0) / 2.0)
    return True


WMA = indicator(
    "wma",
    "Linearly weighted moving average.",
    wma_step,
    (bars_parameter("period"),),
    SOURCE,
    BarCount(0, {"period": 1}),
    BarCount(RING_HEAD, {"period": 1}),
)


def wma(source: Vertex, period: int, *, field: str = "", name: str = "") -> FoldNode:
    """Weighted moving average: the last n values by weights 1 to n, the newest n. (TA-Lib WMA.)

    Shape: one number, in the input's unit. Warm-up: period.
    """
    return WMA.node({"period": period}, (source, field), name=name, label=f"wma_{period}")


def macd_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    fast, slow, signal = int(params[0]), int(params[1]), int(params[2])
    # TA-Lib starts the fast average late, so that both are seeded on the same bar.
    if state[0] >= slow - fast:
        ema_push(state, 1, fast, x[0])
    state[0] += 1.0
    if not ema_push(state, 3, slow, x[0]):
        return False
    macd = state[2] - state[4]
    if not ema_push(state, 5, signal, macd):
        return False
    out[0] = macd
    out[1] = state[6]
    out[2] = macd - state[6]
    return True


MACD = indicator(
    "macd",
    "Moving average convergence/divergence.",
    macd_step,
    (bars_parameter("fast", 12), bars_parameter("slow", 26), bars_parameter("signal", 9)),
    SOURCE,
    BarCount(-1, {"slow": 1, "signal": 1}),
    BarCount(7),
    output=MACD_LINES,
    orderings=(Ordering("fast", "slow", strict=True),),
)


def macd(
    source: Vertex, fast: int = 12, slow: int = 26, signal: int = 9, *, field: str = "", name: str = ""
) -> FoldNode:
    """Moving average convergence/divergence: EMA(fast) - EMA(slow), its EMA(signal), and their difference.

    Source: Appel 1979, TA-Lib MACD, which seeds the fast average so late that both start on one bar.
    Shape: (macd, signal, histogram), in the input's unit. Warm-up: slow + signal - 1.
    """
    params = {"fast": fast, "slow": slow, "signal": signal}
    return MACD.node(params, (source, field), name=name, label=f"macd_{fast}_{slow}_{signal}")
