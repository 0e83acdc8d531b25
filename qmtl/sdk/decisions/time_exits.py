"""Positions that end by time: a target that goes to 0 once what it made has been held for so many bars."""

from __future__ import annotations

from qmtl.core.errors import refused
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.account_state import PositionState
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.names import PERIOD_MAX
from qmtl.sdk.graph.node_types import BarCount, InputPort, NodeType, bars_parameter
from qmtl.sdk.graph.schemas import POSITION, TARGET
from qmtl.sdk.graph.vertices import FoldNode, Vertex

LEAST_BARS = 2
"""The state that is read is that of the bar before, so a position is known at its second close at the earliest."""


def max_bars_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """x: target, quantity, bars held, both of the close before. State: any before, target, over, count at which the
    time began, count before.
    """
    if state[0] == 0.0 or x[0] != state[1]:
        if state[2] != 0.0:
            state[3] = x[2]
        state[0], state[1], state[2] = 1.0, x[0], 0.0
    if x[2] < state[4]:
        state[3] = 0.0
    state[4] = x[2]
    if x[0] * x[1] > 0.0 and x[2] - state[3] + 1.0 >= params[0]:
        state[2] = 1.0
    out[0] = 0.0 if state[2] != 0.0 else x[0]
    return True


MAX_BARS = Builtin(
    NodeType(
        node_type="decision.max_bars",
        code_hash="builtin:max_bars@1.0",
        summary="A target that is 0 once what it made was held for so many bars, until it changes.",
        output=TARGET,
        kind=SemanticKind.DECISION_VALUE,
        parameters=(bars_parameter("max_bars", minimum=LEAST_BARS),),
        inputs=(
            InputPort("target", kinds=(SemanticKind.DECISION_VALUE,)),
            InputPort("position", ("quantity", "bars_held"), (POSITION,)),
        ),
    ),
    max_bars_step,
    state_size=BarCount(5),
)


def max_bars(target: Vertex, position: PositionState, bars: int, *, name: str = "") -> FoldNode:
    """The target, and 0 once a position on its side has been held for `bars` closes: it is closed at the next open.

    It stays 0 until the target changes; a target that only changes its size does not begin the time anew. A position
    that its closing order could not close is held for as long again. Unit: the target's. Warm-up: 1.
    Raises InvalidRequest (E_FIELD) for fewer than 2 bars: a position is known at its second close at the earliest.
    """
    if isinstance(bars, bool) or not isinstance(bars, int) or not LEAST_BARS <= bars <= PERIOD_MAX:
        raise refused("E_FIELD", "max_bars", repr(bars), f"a whole number of bars, {LEAST_BARS} to {PERIOD_MAX}")
    return MAX_BARS.node({"max_bars": bars}, (target, ""), (position, ""), name=name, label="max_bars")
