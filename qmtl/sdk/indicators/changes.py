"""Returns: relative changes of a stream over a number of bars."""

from __future__ import annotations

from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import BarCount, bars_parameter
from qmtl.sdk.graph.vertices import FoldNode, Vertex
from qmtl.sdk.indicators.declaring import SOURCE, indicator
from qmtl.sdk.indicators.windows import RING_HEAD, ring_oldest, ring_push


def returns_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    full = state[0] >= n
    base = ring_oldest(state, 0) if full else 0.0
    ring_push(state, 0, n, x[0])
    if not full:
        return False
    out[0] = x[0] / base - 1.0 if base != 0.0 else 0.0
    return True


RETURNS = indicator(
    "returns",
    "Simple return over a number of bars.",
    returns_step,
    (bars_parameter("period", 1),),
    SOURCE,
    BarCount(1, {"period": 1}),
    BarCount(RING_HEAD, {"period": 1}),
    period=BarCount(per_parameter={"period": 1}),
)


def returns(source: Vertex, period: int = 1, *, field: str = "", name: str = "") -> FoldNode:
    """Simple return over n bars: x / x[n bars ago] - 1; 0 after a zero. (TA-Lib ROCP.)

    Shape: one number, a fraction. Warm-up: period + 1.
    """
    return RETURNS.node({"period": period}, (source, field), name=name, label=f"returns_{period}")


def rate_of_change_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    if not returns_step(state, params, x, out):
        return False
    out[0] = out[0] * 100.0
    return True


RATE_OF_CHANGE = indicator(
    "rate_of_change",
    "Return over a number of bars, in percent.",
    rate_of_change_step,
    (bars_parameter("period", 10),),
    SOURCE,
    BarCount(1, {"period": 1}),
    BarCount(RING_HEAD, {"period": 1}),
)


def rate_of_change(source: Vertex, period: int = 10, *, field: str = "", name: str = "") -> FoldNode:
    """Rate of change over n bars: 100 (x / x[n bars ago] - 1); 0 after a zero. (TA-Lib ROC.)

    Shape: one number, percent. Warm-up: period + 1.
    """
    return RATE_OF_CHANGE.node({"period": period}, (source, field), name=name, label=f"roc_{period}")
