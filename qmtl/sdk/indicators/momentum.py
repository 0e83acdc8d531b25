"""Momentum: how one-sided the latest changes of a stream are."""

from __future__ import annotations

from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import BarCount, bars_parameter
from qmtl.sdk.graph.vertices import FoldNode, Vertex
from qmtl.sdk.indicators.declaring import SOURCE, indicator
from qmtl.sdk.indicators.windows import rsi_push, rsi_value


def rsi_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    if not rsi_push(state, 0, int(params[0]), x[0]):
        return False
    out[0] = rsi_value(state, 0)
    return True


RSI = indicator(
    "rsi",
    "Relative strength index, 0 to 100.",
    rsi_step,
    (bars_parameter("period", 14),),
    SOURCE,
    BarCount(1, {"period": 1}),
    BarCount(6),
    period=BarCount(per_parameter={"period": 1}),
)


def rsi(source: Vertex, period: int = 14, *, field: str = "", name: str = "") -> FoldNode:
    """Relative strength index: 100 * G/(G+L) of Wilder averages of gains and losses; 0 if nothing moved.

    Source: Wilder 1978, TA-Lib RSI. Shape: one number, 0 to 100. Warm-up: period + 1.
    """
    return RSI.node({"period": period}, (source, field), name=name, label=f"rsi_{period}")
