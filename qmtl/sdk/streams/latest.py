"""One stream as of the events of another."""

from __future__ import annotations

from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import InputPort, NodeType
from qmtl.sdk.graph.schemas import VALUE
from qmtl.sdk.graph.vertices import FoldNode, Vertex


def latest_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[0]
    return True


LATEST = Builtin(
    NodeType(
        node_type="stream.latest",
        code_hash="builtin:latest@1.0",
        summary="The newest value of a stream at each event of another.",
        output=VALUE,
        kind=SemanticKind.CAUSAL_STREAM,
        parameters=(),
        inputs=(InputPort("source"), InputPort("at")),
        clock="at",
    ),
    latest_step,
)


def latest(source: Vertex, *, at: Vertex, field: str = "", name: str = "") -> FoldNode:
    """The newest value of `source` that is known at each event of `at`, however old it is.

    So that a market that missed a bar does not silence the other: `price_a / latest(price_b, at=price_a)`. Shape: one
    number, in the source's unit; interval: that of `at`. Warm-up: 1 of each.
    """
    return LATEST.node({}, (source, field), (at, ""), name=name, label=f"latest_{source.name}")
