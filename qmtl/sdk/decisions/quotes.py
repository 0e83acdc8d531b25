"""Quote intents: where a strategy sees the fair price, how far from it it would quote, and for how much."""

from __future__ import annotations

from qmtl.core.errors import refused
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import InputPort, NodeType, Parameter, ParameterType
from qmtl.sdk.graph.schemas import QUOTE_INTENT
from qmtl.sdk.graph.vertices import FoldNode, Vertex


def quote_intent_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """x: fair price, half spread as a fraction of it."""
    out[0] = x[0]
    out[1] = x[0] * x[1]
    out[2] = params[0]
    return x[0] > 0.0 and x[1] > 0.0 and out[1] - out[1] == 0.0


QUOTE_INTENT_TYPE = Builtin(
    NodeType(
        node_type="decision.quote_intent",
        code_hash="builtin:quote_intent@1.0",
        summary="A fair price, how far from it to quote, and for how much.",
        output=QUOTE_INTENT,
        kind=SemanticKind.DECISION_VALUE,
        parameters=(Parameter("size", ParameterType.NUMBER, "units of the asset", above=0.0, maximum=1e12),),
        inputs=(InputPort("fair"), InputPort("half_spread")),
    ),
    quote_intent_step,
)


def quote_intent(fair: Vertex, half_spread: Vertex | float, size: float, *, name: str = "") -> FoldNode:
    """Quote `size` units on each side at `fair` less and plus `half_spread`, a fraction of it: a number or a stream.

    What is sent follows from it and from the inventory (Strategy.quote). No intent where fair or spread is not above 0.
    Shape: fair and half spread in quote currency per unit, size in units. Warm-up: 1.
    """
    if not isinstance(half_spread, Vertex):
        if not 0.0 < half_spread < 1.0:
            raise refused("E_FIELD", "half_spread", half_spread, "a fraction of the price between 0 and 1")
        half_spread = fair * 0.0 + float(half_spread)
    return QUOTE_INTENT_TYPE.node({"size": float(size)}, (fair, ""), (half_spread, ""), name=name, label="quote")
