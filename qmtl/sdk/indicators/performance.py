"""How well an alpha would have done: the returns of holding it, their ratio, their fall, how straight they add up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import BarCount, InputPort, bars_parameter
from qmtl.sdk.graph.vertices import FoldNode, Vertex
from qmtl.sdk.indicators.declaring import SOURCE, factor, indicator
from qmtl.sdk.indicators.windows import EQUAL, RING_HEAD, ring_push, ring_squares, ring_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qmtl.core.arrays.types import Floats


def alpha_returns_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """State: alpha before, price before; 0 before the first. x: alpha, price."""
    alpha, price = state[0], state[1]
    state[0], state[1] = x[0], x[1]
    if not price > 0.0:
        return False
    out[0] = alpha * (x[1] / price - 1.0)
    return out[0] - out[0] == 0.0


def alpha_returns_whole(state: list[float], params: tuple[float, ...], xs: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    before = np.concatenate([np.array([state]), xs[:-1]])[: len(xs)]
    emitted = before[:, 1] > 0.0
    if len(xs):
        state[:] = xs[-1].tolist()
    made = np.full(len(xs), np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        made[emitted] = before[emitted, 0] * (xs[emitted, 1] / before[emitted, 1] - 1.0)
    emitted &= np.isfinite(made)
    made[~emitted] = np.nan
    return made[:, np.newaxis], emitted


ALPHA_RETURNS = indicator(
    "alpha_returns",
    "Return of holding an alpha over the next bar.",
    alpha_returns_step,
    (),
    (InputPort("alpha"), InputPort("price")),
    BarCount(2),
    BarCount(2),
    whole=alpha_returns_whole,
)


def alpha_returns(alpha: Vertex, price: Vertex, *, field: str = "", name: str = "") -> FoldNode:
    """Return of an alpha held from one bar to the next: alpha[t - 1] (price[t] / price[t - 1] - 1), without costs.

    The alpha is a share of equity, signed; the one of this bar earns at the next. No value after a price of 0.
    Source: Kakushadze 2016, 101 Formulaic Alphas, for one asset. Shape: one number, a fraction. Warm-up: 2.
    """
    return ALPHA_RETURNS.node({}, (alpha, ""), (price, field), name=name, label="alpha_returns")


def alpha_sharpe_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """params: period, periods a year. State: ring of returns."""
    n = int(params[0])
    if not ring_push(state, 0, n, x[0]):
        return False
    mean = ring_sum(state, 0, n) / n
    deviation = math.sqrt(ring_squares(state, 0, n, mean) / (n - 1))
    if not deviation > EQUAL:
        return False
    out[0] = mean / deviation * math.sqrt(params[1])
    return out[0] - out[0] == 0.0


ALPHA_SHARPE = indicator(
    "alpha_sharpe",
    "Mean return over its deviation in a window, annualised.",
    alpha_sharpe_step,
    (bars_parameter("period", 96, minimum=2), factor("periods_per_year", "1/y", 365.0)),
    SOURCE,
    BarCount(per_parameter={"period": 1}),
    BarCount(RING_HEAD, {"period": 1}),
)


def alpha_sharpe(
    returns: Vertex, period: int = 96, *, periods_per_year: float, field: str = "", name: str = ""
) -> FoldNode:
    """Sharpe ratio of the last n returns: mean / sample deviation x sqrt(periods a year); risk-free rate 0.

    No value where they have no spread beyond rounding. Source: Sharpe 1994. Input: returns, such as
    `alpha_returns`. Shape: one number, no unit. Warm-up: period.
    """
    params = {"period": period, "periods_per_year": float(periods_per_year)}
    return ALPHA_SHARPE.node(params, (returns, field), name=name, label=f"alpha_sharpe_{period}")


def alpha_drawdown_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    if not ring_push(state, 0, n, x[0]):
        return False
    value, peak, worst = 1.0, 1.0, 0.0
    slot = int(state[1])
    for _ in range(n):
        value = value * (1.0 + state[2 + slot])
        slot = slot + 1 if slot + 1 < n else 0
        if not value > 0.0:
            value, worst = 0.0, 1.0
        if value > peak:
            peak = value
        fall = 1.0 - value / peak
        if fall > worst:
            worst = fall
    out[0] = worst
    return value - value == 0.0


ALPHA_DRAWDOWN = indicator(
    "alpha_drawdown",
    "Largest fall from a high of compounded returns in a window.",
    alpha_drawdown_step,
    (bars_parameter("period", 96),),
    SOURCE,
    BarCount(per_parameter={"period": 1}),
    BarCount(RING_HEAD, {"period": 1}),
)


def alpha_drawdown(returns: Vertex, period: int = 96, *, field: str = "", name: str = "") -> FoldNode:
    """Largest fall from a high of the last n returns compounded from 1: max of 1 - value / highest value before it.

    1 once the value is 0 or less. Source: Magdon-Ismail and Atiya 2004. Input: returns. Shape: one number,
    0 to 1. Warm-up: period.
    """
    return ALPHA_DRAWDOWN.node({"period": period}, (returns, field), name=name, label=f"alpha_drawdown_{period}")


def alpha_linearity_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    if not ring_push(state, 0, n, x[0]):
        return False
    first, total, mean = int(state[1]), 0.0, 0.0
    slot = first
    for _ in range(n):
        total += state[2 + slot]
        mean += total
        slot = slot + 1 if slot + 1 < n else 0
    mean, total, middle = mean / n, 0.0, (n - 1) / 2.0
    along, spread = 0.0, 0.0
    slot = first
    for at in range(n):
        total += state[2 + slot]
        along += (at - middle) * (total - mean)
        spread += (total - mean) * (total - mean)
        slot = slot + 1 if slot + 1 < n else 0
    if not spread > EQUAL * EQUAL * n:
        return False
    share = along * along / (spread * (n * (n * float(n) - 1.0) / 12.0))
    if share > 1.0:
        share = 1.0
    out[0] = share if along >= 0.0 else -share
    return out[0] - out[0] == 0.0


ALPHA_LINEARITY = indicator(
    "alpha_linearity",
    "How straight the sum of returns rises in a window.",
    alpha_linearity_step,
    (bars_parameter("period", 96, minimum=3),),
    SOURCE,
    BarCount(per_parameter={"period": 1}),
    BarCount(RING_HEAD, {"period": 1}),
)


def alpha_linearity(returns: Vertex, period: int = 96, *, field: str = "", name: str = "") -> FoldNode:
    """R squared of a straight line through the running sum of the last n returns, negative where the line falls.

    1: earned evenly; near 0: by a few bars, or not at all. No value where the sum never moves. Source: the
    coefficient of determination of least squares. Input: returns. Shape: one number, -1 to 1. Warm-up: period.
    """
    return ALPHA_LINEARITY.node({"period": period}, (returns, field), name=name, label=f"alpha_linearity_{period}")
