"""Momentum: how one-sided the latest changes of a stream are."""

from __future__ import annotations

from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import BarCount, InputPort, NodeType, bars_parameter
from qmtl.sdk.graph.schemas import VALUE
from qmtl.sdk.graph.vertices import FoldNode, Vertex
from qmtl.sdk.indicators.windows import rsi_push, rsi_value


def rsi_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    if not rsi_push(state, 0, int(params[0]), x[0]):
        return False
    out[0] = rsi_value(state, 0)
    return True


RSI = Builtin(
    NodeType(
        node_type="indicator.rsi",
        code_hash="builtin:rsi@1.0",
        summary="Relative strength index, 0 to 100.",
        output=VALUE,
        kind=SemanticKind.CAUSAL_STREAM,
        parameters=(bars_parameter("period", 14),),
        inputs=(InputPort("source"),),
        period=BarCount(per_parameter={"period": 1}),
        warm_up=BarCount(1, {"period": 1}),
    ),
    rsi_step,
    state_size=BarCount(6),
)


def rsi(source: Vertex, period: int = 14, *, field: str = "", name: str = "") -> FoldNode:
    """Relative strength index: 100 * G/(G+L) of Wilder averages of gains and losses; 0 if nothing moved.

    Source: Wilder 1978, TA-Lib RSI. Shape: one number, 0 to 100. Warm-up: period + 1.
    """
    return RSI.node({"period": period}, (source, field), name=name, label=f"rsi_{period}")
