"""Nodes between a target and its orders: a gate, a batch in time, and a choice of one of two targets.

They are an author's own rules, pure and the same in every execution. They narrow what is ordered before the platform's
gate does, which no graph can pass by: activation, backpressure, watermark and the brokerage's checks of each order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qmtl.calendars.spans import floor_to
from qmtl.core.errors import refused
from qmtl.core.identity.canonical import Json
from qmtl.core.identity.nodes import SemanticKind
from qmtl.core.instants import NS_PER_S
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.names import INTERVAL_S_MAX, parse_interval
from qmtl.sdk.graph.node_types import BarCount, InputPort, NodeType, Parameter, ParameterType
from qmtl.sdk.graph.schemas import TARGET
from qmtl.sdk.graph.vertices import FoldNode, Vertex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qmtl.core.arrays.types import Floats, Times

_DECISION = (SemanticKind.DECISION_VALUE,)


def gate_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """x: target, passes. params: flat. State: what was let through last."""
    if x[1] != 0.0:
        state[0] = x[0]
    elif params[0] != 0.0 or x[0] * state[0] <= 0.0:
        state[0] = 0.0
    elif abs(x[0]) < abs(state[0]):
        state[0] = x[0]
    out[0] = state[0]
    return True


def batch_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """x: target, period of the event. State: any before, its period, any begun, what was let through last."""
    if state[0] != 0.0 and x[1] != state[1]:
        state[2], state[3] = 1.0, x[0]
    state[0], state[1] = 1.0, x[1]
    out[0] = state[3]
    return state[2] != 0.0


def route_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[1] if x[0] != 0.0 else x[2]
    return True


def route_whole(state: list[float], params: tuple[float, ...], xs: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    return np.where(xs[:, 0] != 0.0, xs[:, 1], xs[:, 2])[:, np.newaxis], np.ones(len(xs), dtype=np.bool_)


PRE_TRADE_GATE = Builtin(
    NodeType(
        node_type="execution.pre_trade_gate",
        code_hash="builtin:pre_trade_gate@1.0",
        summary="A target while the gate is open; while it is shut only what reduces, or nothing.",
        output=TARGET,
        kind=SemanticKind.DECISION_VALUE,
        parameters=(Parameter("flat", ParameterType.BOOLEAN, "", False),),
        inputs=(InputPort("target", kinds=_DECISION), InputPort("passes")),
    ),
    gate_step,
    state_size=BarCount(1),
)

MICRO_BATCH = Builtin(
    NodeType(
        node_type="execution.micro_batch",
        code_hash="builtin:micro_batch@1.0",
        summary="A target taken once a period of the UTC grid, at the first event in it.",
        output=TARGET,
        kind=SemanticKind.DECISION_VALUE,
        parameters=(Parameter("every_s", ParameterType.INTEGER, "s", minimum=1, maximum=INTERVAL_S_MAX),),
        inputs=(InputPort("target", kinds=_DECISION),),
    ),
    batch_step,
    state_size=BarCount(4),
)

ROUTER = Builtin(
    NodeType(
        node_type="execution.router",
        code_hash="builtin:router@1.0",
        summary="One of two targets, by a condition.",
        output=TARGET,
        kind=SemanticKind.DECISION_VALUE,
        inputs=(InputPort("condition"), InputPort("target", kinds=_DECISION), InputPort("otherwise", kinds=_DECISION)),
    ),
    route_step,
    whole=route_whole,
)


@dataclass(frozen=True, slots=True)
class _Periods:
    """The number of the period, on the UTC grid, that an event's time is in."""

    every_s: int

    @property
    def width(self) -> int:
        return 1

    def of(self, times: Times) -> Floats:
        every_ns = self.every_s * NS_PER_S
        return ((times - floor_to(0, every_ns)) // every_ns).astype(np.float64)[:, np.newaxis]


def pre_trade_gate(target: Vertex, passes: Vertex, *, flat: bool = False, name: str = "") -> FoldNode:
    """The target while `passes` is not 0; else what was let through last, as far as the target does not reduce it.

    A target of 0 or of the other side closes, a smaller one reduces, a larger one waits for the gate. `flat`: nothing
    is held while the gate is shut. Before its first opening it is 0. Unit: the target's. Shape: one target. Warm-up: 1.
    Raises InvalidRequest (E_NOT_A_DECISION).
    """
    params: dict[str, Json] = {"flat": flat}
    return PRE_TRADE_GATE.node(params, (_decision(target), ""), (passes, ""), name=name, label="pre_trade_gate")


def micro_batch(target: Vertex, every: str, *, name: str = "") -> FoldNode:
    """The target at the first bar that closes in each period of the UTC grid, "4h" or "1d", held until the next one.

    Changes between are not acted on. The first period, whose beginning was not seen, has no value, so that the values
    do not depend on where history begins. Unit: the target's. Shape: one target.
    Raises InvalidRequest (E_NOT_A_DECISION, E_INTERVAL).
    """
    every_s = parse_interval(every)
    if every_s <= target.interval_s:
        raise refused("E_INTERVAL", "every", every, f"longer than the target's {target.interval_s} s")
    params: dict[str, Json] = {"every_s": every_s}
    return MICRO_BATCH.node(params, (_decision(target), ""), name=name, label="micro_batch", times=_Periods(every_s))


def router(condition: Vertex, target: Vertex, otherwise: Vertex, *, name: str = "") -> FoldNode:
    """`target` where the condition is not 0, else `otherwise`; all three must have a value. Routers may be nested.

    Unit: the targets'. Shape: one target. Warm-up: 1. Raises InvalidRequest (E_NOT_A_DECISION).
    """
    chosen = (_decision(target), ""), (_decision(otherwise), "")
    return ROUTER.node({}, (condition, ""), *chosen, name=name, label="router")


def _decision(target: Vertex) -> Vertex:
    if target.kind is not SemanticKind.DECISION_VALUE or target.schema is not TARGET:
        hint = "make one with signals.position_target"
        raise refused("E_NOT_A_DECISION", "target", f"{target.name} ({target.kind.value})", "a target", hint=hint)
    return target
