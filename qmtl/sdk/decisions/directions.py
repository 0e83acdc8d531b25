"""Directions from streams: crosses, trends and thresholds.

A direction is +1 (long), 0 (nothing to say) or -1 (short). It is a decision: it may feed decisions and orders, never a
shared stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import refused
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Vector, carried
from qmtl.sdk.graph.node_types import BarCount, InputPort, NodeType, Ordering, number_parameter
from qmtl.sdk.graph.schemas import DIRECTION
from qmtl.sdk.graph.vertices import FoldNode, Vertex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qmtl.core.arrays.types import Floats


def cross_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    side = 0.0
    if x[0] > x[1]:
        side = 1.0
    elif x[0] < x[1]:
        side = -1.0
    before = state[1]
    first = state[0] == 0.0
    state[0] = 1.0
    if side != 0.0:
        state[1] = side
    if first:
        return False
    out[0] = side if side != 0.0 and before != 0.0 and side != before else 0.0
    return True


def cross_whole(state: list[float], params: tuple[float, ...], xs: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    side = _sides(xs[:, 0], xs[:, 1])
    at = np.flatnonzero(side)
    last = side if len(at) == len(side) else carried(state[1], at, side[at], len(side))
    before = np.append(np.int8(state[1]), last[:-1])[: len(xs)]
    crossed = side * before == -1
    rows, emitted = (side * crossed).astype(np.float64)[:, np.newaxis], np.ones(len(xs), dtype=np.bool_)
    if len(xs):
        if state[0] == 0.0:
            rows[0], emitted[0] = np.nan, False
        state[0], state[1] = 1.0, float(last[-1])
    return rows, emitted


def _sides(one: Floats, other: Floats) -> NDArray[np.int8]:
    """+1 where one is above the other, -1 where it is below."""
    return (one > other).view(np.int8) - (one < other).view(np.int8)


CROSS = Builtin(
    NodeType(
        node_type="decision.cross",
        code_hash="builtin:cross@1.0",
        summary="+1 or -1 where one stream crosses another, else 0.",
        output=DIRECTION,
        kind=SemanticKind.DECISION_VALUE,
        parameters=(),
        inputs=(InputPort("fast"), InputPort("slow")),
        warm_up=BarCount(2),
    ),
    cross_step,
    state_size=BarCount(2),
    whole=cross_whole,
)


def cross(fast: Vertex, slow: Vertex, *, name: str = "") -> FoldNode:
    """Crossing event: +1 where fast rises above slow, -1 where it falls below, 0 between. A touch is not a cross.

    Shape: one direction per event. Warm-up: 2.
    """
    return CROSS.node({}, (fast, ""), (slow, ""), name=name, label="cross")


def trend_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = 0.0
    if x[0] > x[1]:
        out[0] = 1.0
    elif x[0] < x[1]:
        out[0] = -1.0
    return True


def trend_whole(state: list[float], params: tuple[float, ...], xs: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    return _sides(xs[:, 0], xs[:, 1]).astype(np.float64)[:, np.newaxis], np.ones(len(xs), dtype=np.bool_)


TREND = Builtin(
    NodeType(
        node_type="decision.trend",
        code_hash="builtin:trend@1.0",
        summary="+1 while one stream is above another, -1 while below.",
        output=DIRECTION,
        kind=SemanticKind.DECISION_VALUE,
        parameters=(),
        inputs=(InputPort("fast"), InputPort("slow")),
    ),
    trend_step,
    whole=trend_whole,
)


def trend(fast: Vertex, slow: Vertex, *, name: str = "") -> FoldNode:
    """State rather than event: +1 while fast > slow, -1 while fast < slow, 0 when equal. Warm-up: 1."""
    return TREND.node({}, (fast, ""), (slow, ""), name=name, label="trend")


def threshold_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = 0.0
    if x[0] > params[0]:
        out[0] = 1.0
    elif x[0] < params[1]:
        out[0] = -1.0
    return True


THRESHOLD = Builtin(
    NodeType(
        node_type="decision.threshold",
        code_hash="builtin:threshold@1.0",
        summary="+1 above one level, -1 below another, else 0.",
        output=DIRECTION,
        kind=SemanticKind.DECISION_VALUE,
        parameters=(
            number_parameter("above", "unit of the input"),
            number_parameter("below", "unit of the input"),
        ),
        inputs=(InputPort("source"),),
        orderings=(Ordering("below", "above", strict=False),),
    ),
    threshold_step,
)


def threshold(source: Vertex, *, above: float, below: float, field: str = "", name: str = "") -> FoldNode:
    """+1 where the value is above `above`, -1 where it is below `below`, else 0. Unit: the input's. Warm-up: 1."""
    params = {"above": float(above), "below": float(below)}
    return THRESHOLD.node(params, (source, field), name=name, label="threshold")


def trade_signal_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """params: enter, leave. State: the direction held."""
    if x[0] > params[0]:
        state[0] = 1.0
    elif x[0] < -params[0]:
        state[0] = -1.0
    elif (state[0] > 0.0 and not x[0] >= params[1]) or (state[0] < 0.0 and not x[0] <= -params[1]):
        state[0] = 0.0
    out[0] = state[0]
    return True


TRADE_SIGNAL = Builtin(
    NodeType(
        node_type="decision.trade_signal",
        code_hash="builtin:trade_signal@1.0",
        summary="+1 or -1 from a strong score on until it is weak, else 0.",
        output=DIRECTION,
        kind=SemanticKind.DECISION_VALUE,
        parameters=(
            number_parameter("enter", "unit of the score"),
            number_parameter("leave", "unit of the score", 0.0),
        ),
        inputs=(InputPort("score"),),
        orderings=(Ordering("leave", "enter", strict=False),),
    ),
    trade_signal_step,
    state_size=BarCount(1),
)


def trade_signal(score: Vertex, *, enter: float, leave: float = 0.0, field: str = "", name: str = "") -> FoldNode:
    """A score as a signal with hysteresis: +1 once it is above `enter`, until it is below `leave`; -1 likewise below 0.

    Formula: +1 if x > enter, -1 if x < -enter, else the signal before while x >= leave (of +1) or x <= -leave (of -1),
    else 0. `leave` is at most `enter`; negative, a signal outlives a change of sign. Source: the Schmitt trigger.
    Shape: one direction per event. Unit: the score's. Warm-up: 1.
    """
    params = {"enter": float(enter), "leave": float(leave)}
    return TRADE_SIGNAL.node(params, (score, field), name=name, label="trade_signal")


def when(*, long: Vertex | None = None, short: Vertex | None = None, name: str = "") -> FoldNode:
    """+1 while the comparison `long` holds, -1 while `short` does, 0 while neither or both do. Warm-up: 1.

    A comparison is 1 or 0: `when(long=price / ta.sma(price, 20) > 1.02)`. Raises InvalidRequest (E_FIELD) for none.
    """
    if long is not None and short is not None:
        return trend(long, short, name=name or "when")
    if long is not None:
        return threshold(long, above=0.5, below=-0.5, name=name or "when")
    if short is not None:
        return threshold(-short, above=0.5, below=-0.5, name=name or "when")
    raise refused("E_FIELD", "long, short", "neither", "a condition for at least one of them")
