"""Where a price stands in its latest range: stochastics, of prices and of the RSI, and KDJ."""

from __future__ import annotations

from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import BarCount, bars_parameter
from qmtl.sdk.graph.schemas import Schema
from qmtl.sdk.graph.vertices import FoldNode, Vertex
from qmtl.sdk.indicators.declaring import SOURCE, bars_of, indicator
from qmtl.sdk.indicators.windows import RING_HEAD, ring_highest, ring_lowest, ring_push, ring_sum, rsi_push, rsi_value

STOCHASTIC_LINES = Schema("qmtl.stochastic.v1", ("k", "d"), "k")
KDJ_LINES = Schema("qmtl.kdj.v1", ("k", "d", "j"), "k")


def place_in_range(value: float, low: float, high: float, flat: float) -> float:
    """0 at the low, 100 at the high; `flat` where they are equal."""
    span = high - low
    return (value - low) / (span / 100.0) if span / 100.0 != 0.0 else flat


def stochastic_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n, slow, signal = int(params[0]), int(params[1]), int(params[2])
    lows, fast, line = n + 2, 2 * n + 4, 2 * n + 6 + slow
    ring_push(state, 0, n, x[0])
    if not ring_push(state, lows, n, x[1]):
        return False
    k = place_in_range(x[2], ring_lowest(state, lows, n, n), ring_highest(state, 0, n, n), 0.0)
    if not ring_push(state, fast, slow, k):
        return False
    out[0] = ring_sum(state, fast, slow) / slow
    if not ring_push(state, line, signal, out[0]):
        return False
    out[1] = ring_sum(state, line, signal) / signal
    return True


STOCHASTIC = indicator(
    "stochastic",
    "Place of the close in the latest range, smoothed, and its average.",
    stochastic_step,
    (bars_parameter("period", 14), bars_parameter("smooth", 3), bars_parameter("signal", 3)),
    bars_of("high", "low", "close"),
    BarCount(-2, {"period": 1, "smooth": 1, "signal": 1}),
    BarCount(4 * RING_HEAD, {"period": 2, "smooth": 1, "signal": 1}),
    STOCHASTIC_LINES,
)


def stochastic(bars: Vertex, period: int = 14, smooth: int = 3, signal: int = 3, *, name: str = "") -> FoldNode:
    """Slow stochastic: K = SMA(smooth) of 100 (close - lowest low) / (highest high - lowest low), D = SMA(signal) of K.

    A range of 0 counts as 0. Source: Lane 1984, TA-Lib STOCH. Input: bars. Shape: (k, d), 0 to 100.
    Warm-up: period + smooth + signal - 2.
    """
    params = {"period": period, "smooth": smooth, "signal": signal}
    return STOCHASTIC.node(params, (bars, ""), name=name, label=f"stochastic_{period}")


def stoch_rsi_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n, window, signal = int(params[0]), int(params[1]), int(params[2])
    if not rsi_push(state, 0, n, x[0]):
        return False
    rsi = rsi_value(state, 0)
    if not ring_push(state, 6, window, rsi):
        return False
    k = place_in_range(rsi, ring_lowest(state, 6, window, window), ring_highest(state, 6, window, window), 0.0)
    if not ring_push(state, 8 + window, signal, k):
        return False
    out[0] = k
    out[1] = ring_sum(state, 8 + window, signal) / signal
    return True


STOCH_RSI = indicator(
    "stoch_rsi",
    "Place of the RSI in its latest range, and its average.",
    stoch_rsi_step,
    (bars_parameter("period", 14), bars_parameter("window", 14), bars_parameter("signal", 3)),
    SOURCE,
    BarCount(-1, {"period": 1, "window": 1, "signal": 1}),
    BarCount(6 + 2 * RING_HEAD, {"window": 1, "signal": 1}),
    STOCHASTIC_LINES,
)


def stoch_rsi(
    source: Vertex, period: int = 14, window: int = 14, signal: int = 3, *, field: str = "", name: str = ""
) -> FoldNode:
    """Stochastic of the RSI: K = 100 (rsi - lowest) / (highest - lowest) of its last `window`, D = SMA(signal) of K.

    A range of 0 counts as 0. Source: Chande and Kroll 1994, TA-Lib STOCHRSI. Shape: (k, d), 0 to 100.
    Warm-up: period + window + signal - 1.
    """
    params = {"period": period, "window": window, "signal": signal}
    return STOCH_RSI.node(params, (source, field), name=name, label=f"stoch_rsi_{period}")


def kdj_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n, smooth, signal = int(params[0]), params[1], params[2]
    lows, lines = n + 2, 2 * n + 4
    ring_push(state, 0, n, x[0])
    if not ring_push(state, lows, n, x[1]):
        return False
    if state[lines] == 0.0:
        state[lines], state[lines + 1], state[lines + 2] = 1.0, 50.0, 50.0
    raw = place_in_range(x[2], ring_lowest(state, lows, n, n), ring_highest(state, 0, n, n), 50.0)
    state[lines + 1] = (state[lines + 1] * (smooth - 1.0) + raw) / smooth
    state[lines + 2] = (state[lines + 2] * (signal - 1.0) + state[lines + 1]) / signal
    out[0], out[1] = state[lines + 1], state[lines + 2]
    out[2] = 3.0 * out[0] - 2.0 * out[1]
    return True


KDJ = indicator(
    "kdj",
    "Smoothed stochastic, its signal, and how far they are apart.",
    kdj_step,
    (bars_parameter("period", 9), bars_parameter("smooth", 3), bars_parameter("signal", 3)),
    bars_of("high", "low", "close"),
    BarCount(0, {"period": 1}),
    BarCount(2 * RING_HEAD + 3, {"period": 2}),
    KDJ_LINES,
)


def kdj(bars: Vertex, period: int = 9, smooth: int = 3, signal: int = 3, *, name: str = "") -> FoldNode:
    """KDJ: K += (raw - K) / smooth and D += (K - D) / signal from 50, J = 3 K - 2 D; raw: place of the close in n bars.

    A range of 0 counts as 50. Source: as Chinese platforms define it (SMA(X, N, 1)). Input: bars.
    Shape: (k, d, j); k and d are 0 to 100. Warm-up: period.
    """
    params = {"period": period, "smooth": smooth, "signal": signal}
    return KDJ.node(params, (bars, ""), name=name, label=f"kdj_{period}")
