"""Levels that follow a price: supertrend, chandelier exit, Ichimoku's lines, and a Kalman filter's trend."""

from __future__ import annotations

from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import BarCount, Ordering, bars_parameter
from qmtl.sdk.graph.schemas import Schema
from qmtl.sdk.graph.vertices import FoldNode, Vertex
from qmtl.sdk.indicators.declaring import SOURCE, bars_of, factor, indicator
from qmtl.sdk.indicators.windows import RING_HEAD, atr_push, ring_highest, ring_lowest, ring_oldest, ring_push

SUPERTREND_LINES = Schema("qmtl.supertrend.v1", ("line", "direction"), "line")
EXITS = Schema("qmtl.exits.v1", ("long", "short"), "long")
ICHIMOKU_LINES = Schema("qmtl.ichimoku.v1", ("conversion", "base", "span_a", "span_b"), "base")
TREND_STATE = Schema("qmtl.trend.v1", ("level", "slope"), "level")


def supertrend_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """State: average true range (4), direction (0: none yet), upper band, lower band, close before."""
    high, low, close = x[0], x[1], x[2]
    before = state[1]
    if not atr_push(state, 0, int(params[0]), high, low, close):
        return False
    middle, reach = (high + low) / 2.0, params[1] * state[3]
    upper, lower = middle + reach, middle - reach
    if state[4] == 0.0:
        state[4] = 1.0 if close >= middle else -1.0
    else:
        if close > state[5]:
            state[4] = 1.0
        elif close < state[6]:
            state[4] = -1.0
        if upper > state[5] and before <= state[5]:
            upper = state[5]
        if lower < state[6] and before >= state[6]:
            lower = state[6]
    state[5], state[6] = upper, lower
    out[0] = lower if state[4] > 0.0 else upper
    out[1] = state[4]
    return True


SUPERTREND = indicator(
    "supertrend",
    "A band of average true ranges that turns when the close passes it.",
    supertrend_step,
    (bars_parameter("period", 10), factor("multiplier", "average true ranges", 3.0)),
    bars_of("high", "low", "close"),
    BarCount(1, {"period": 1}),
    BarCount(7),
    SUPERTREND_LINES,
)


def supertrend(bars: Vertex, period: int = 10, multiplier: float = 3.0, *, name: str = "") -> FoldNode:
    """Supertrend: bands (high + low) / 2 +- k ATR(n) that only tighten until the close before them is beyond; the lower
    one is the line while the direction is +1, the upper one while it is -1; a close beyond a band turns it.

    The first direction is that of the close to the middle of its bar. Source: Seban 2009. Input: bars.
    Shape: (line in price units, direction +1 or -1). Warm-up: period + 1.
    """
    params = {"period": period, "multiplier": float(multiplier)}
    return SUPERTREND.node(params, (bars, ""), name=name, label=f"supertrend_{period}")


def chandelier_exit_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    ring_push(state, 4, n, x[0])
    ring_push(state, 6 + n, n, x[1])
    if not atr_push(state, 0, n, x[0], x[1], x[2]):
        return False
    out[0] = ring_highest(state, 4, n, n) - params[1] * state[3]
    out[1] = ring_lowest(state, 6 + n, n, n) + params[1] * state[3]
    return True


CHANDELIER_EXIT = indicator(
    "chandelier_exit",
    "Exits that hang from the highest high and stand on the lowest low.",
    chandelier_exit_step,
    (bars_parameter("period", 22), factor("multiplier", "average true ranges", 3.0)),
    bars_of("high", "low", "close"),
    BarCount(1, {"period": 1}),
    BarCount(4 + 2 * RING_HEAD, {"period": 2}),
    EXITS,
)


def chandelier_exit(bars: Vertex, period: int = 22, multiplier: float = 3.0, *, name: str = "") -> FoldNode:
    """Chandelier exit: highest high of n bars - k ATR(n) for longs, lowest low of n bars + k ATR(n) for shorts.

    Source: LeBeau, in Elder 2002. Input: bars. Shape: (long, short), in price units. Warm-up: period + 1.
    """
    params = {"period": period, "multiplier": float(multiplier)}
    return CHANDELIER_EXIT.node(params, (bars, ""), name=name, label=f"chandelier_{period}")


def ichimoku_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """State: rings of highs and lows (slow), of both spans (displacement)."""
    fast, middle, slow, ago = int(params[0]), int(params[1]), int(params[2]), int(params[3])
    lows, a, b = slow + 2, 2 * slow + 4, 2 * slow + 6 + ago
    ring_push(state, 0, slow, x[0])
    if not ring_push(state, lows, slow, x[1]):
        return False
    conversion = (ring_highest(state, 0, slow, fast) + ring_lowest(state, lows, slow, fast)) / 2.0
    base = (ring_highest(state, 0, slow, middle) + ring_lowest(state, lows, slow, middle)) / 2.0
    whole = (ring_highest(state, 0, slow, slow) + ring_lowest(state, lows, slow, slow)) / 2.0
    known = state[a] >= ago
    out[0], out[1] = conversion, base
    if known:
        out[2], out[3] = ring_oldest(state, a), ring_oldest(state, b)
    ring_push(state, a, ago, (conversion + base) / 2.0)
    ring_push(state, b, ago, whole)
    return known


ICHIMOKU = indicator(
    "ichimoku",
    "Middles of three ranges, two of them as they were some bars ago.",
    ichimoku_step,
    (
        bars_parameter("conversion", 9),
        bars_parameter("base", 26),
        bars_parameter("slow", 52),
        bars_parameter("displacement", 26),
    ),
    bars_of("high", "low"),
    BarCount(0, {"slow": 1, "displacement": 1}),
    BarCount(4 * RING_HEAD, {"slow": 2, "displacement": 2}),
    ICHIMOKU_LINES,
    (Ordering("conversion", "base", strict=False), Ordering("base", "slow", strict=False)),
)


def ichimoku(
    bars: Vertex, conversion: int = 9, base: int = 26, slow: int = 52, displacement: int = 26, *, name: str = ""
) -> FoldNode:
    """Ichimoku: (highest high + lowest low) / 2 of `conversion` and `base` bars; the cloud that is drawn at this bar:
    their mean (span a) and the middle of `slow` bars (span b), both as they were `displacement` bars ago.

    The lagging span is the close drawn into the past: it looks ahead and is left out. Source: Hosoda 1969. Input: bars.
    Shape: (conversion, base, span_a, span_b), in price units. Warm-up: slow + displacement.
    """
    params = {"conversion": conversion, "base": base, "slow": slow, "displacement": displacement}
    return ICHIMOKU.node(params, (bars, ""), name=name, label=f"ichimoku_{conversion}_{base}_{slow}")


def kalman_trend_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """State: count, level, slope, covariance (level, both, slope) in units of the noise of a price."""
    q, r = params[0], params[1]
    if state[0] == 0.0:
        state[0], state[1], state[2], state[3], state[4], state[5] = 1.0, x[0], 0.0, 1.0, 0.0, 1.0
        return False
    level, slope = state[1] + state[2], state[2]
    p11 = state[3] + 2.0 * state[4] + state[5] + q
    p12, p22 = state[4] + state[5], state[5] + r
    k1, k2 = p11 / (p11 + 1.0), p12 / (p11 + 1.0)
    surprise = x[0] - level
    state[1], state[2] = level + k1 * surprise, slope + k2 * surprise
    state[3], state[4], state[5] = (1.0 - k1) * p11, (1.0 - k1) * p12, p22 - k2 * p12
    out[0], out[1] = state[1], state[2]
    return True


KALMAN_TREND = indicator(
    "kalman_trend",
    "Level and slope of a local linear trend.",
    kalman_trend_step,
    (
        factor("level_noise", "variance of the level a bar, of a price's noise 1", 0.01),
        factor("slope_noise", "variance of the slope a bar, of a price's noise 1", 0.0001),
    ),
    SOURCE,
    BarCount(2),
    BarCount(6),
    TREND_STATE,
)


def kalman_trend(
    source: Vertex, level_noise: float = 0.01, slope_noise: float = 0.0001, *, field: str = "", name: str = ""
) -> FoldNode:
    """Kalman filter of a local linear trend: x = level + noise, level += slope + noise, slope += noise; variances in
    units of that of x's noise. It starts at the first value with slope 0 and variances 1.

    Source: Harvey 1989, 2.3. Shape: (level in the input's unit, slope per bar). Warm-up: 2.
    """
    params = {"level_noise": float(level_noise), "slope_noise": float(slope_noise)}
    return KALMAN_TREND.node(params, (source, field), name=name, label="kalman_trend")
