"""Position targets: what a strategy wants to hold, from a direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.identity.canonical import Json
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Vector, carried
from qmtl.sdk.graph.node_types import BarCount, InputPort, NodeType, Parameter, ParameterType, number_parameter
from qmtl.sdk.graph.schemas import TARGET
from qmtl.sdk.graph.vertices import FoldNode, Vertex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qmtl.core.arrays.types import Floats


def target_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """params: long, flat, short, hold. State: [started, target]."""
    if state[0] == 0.0:
        state[0] = 1.0
        state[1] = params[1]
    if x[0] > 0.0:
        state[1] = params[0]
    elif x[0] < 0.0:
        state[1] = params[2]
    elif params[3] == 0.0:
        state[1] = params[1]
    out[0] = state[1]
    return True


def target_whole(state: list[float], params: tuple[float, ...], xs: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    long, flat, short, hold = params
    direction, held = xs[:, 0], state[1] if state[0] else flat
    if hold:
        at = np.flatnonzero((direction > 0.0) | (direction < 0.0))
        found = carried(held, at, np.where(direction[at] > 0.0, long, short), len(xs))
    else:
        found = np.where(direction > 0.0, long, np.where(direction < 0.0, short, flat))
    if len(xs):
        state[0], state[1] = 1.0, float(found[-1])
    return found[:, np.newaxis], np.ones(len(xs), dtype=np.bool_)


POSITION_TARGET = Builtin(
    NodeType(
        node_type="decision.position_target",
        code_hash="builtin:position_target@1.0",
        summary="What to hold after each direction.",
        output=TARGET,
        kind=SemanticKind.DECISION_VALUE,
        parameters=(
            number_parameter("long", "unit of the sizing"),
            number_parameter("flat", "unit of the sizing", 0.0),
            number_parameter("short", "unit of the sizing", 0.0),
            Parameter("hold", ParameterType.BOOLEAN, "", True),
        ),
        inputs=(InputPort("direction"),),
    ),
    target_step,
    state_size=BarCount(2),
    whole=target_whole,
)


def position_target(
    direction: Vertex, *, long: float, short: float = 0.0, flat: float = 0.0, hold: bool = True, name: str = ""
) -> FoldNode:
    """What to hold: `long` after +1, `short` after -1 (0: close; negative: sell short), `flat` before the first signal.

    hold True keeps the last target while the direction is 0; False goes to `flat` then. Unit: whatever the
    order node's sizing says (units of the asset, or a fraction of equity). Shape: one target. Warm-up: 1.
    """
    params: dict[str, Json] = {"long": float(long), "flat": float(flat), "short": float(short), "hold": hold}
    return POSITION_TARGET.node(params, (direction, ""), name=name, label="target")
