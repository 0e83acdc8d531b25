"""`@node`: functions of authors as factories of custom nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, Unpack, overload

from qmtl.core.errors import refused
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.joins import Join
from qmtl.sdk.graph.schemas import Schema
from qmtl.sdk.graph.vertices import Compute, ComputeBatch, Node, Step, Vertex


class _Said(TypedDict, total=False):
    """What is said of a node where its function is written."""

    period: int
    schema: Schema
    kind: SemanticKind
    code_version: str
    join: Join | str


class NodeFactory:
    """What `@node` makes of a function: call it with inputs to build the node."""

    __slots__ = ("_compute", "_said")

    def __init__(self, compute: Compute | Step, said: Mapping[str, Any]) -> None:
        self._compute = compute
        self._said = said

    def __call__(self, *inputs: Vertex, name: str = "", **named: Vertex) -> Node:
        """Inputs by position (`view[0]`) or by name (`view["fast"]`); `name` is the node's own display name."""
        if bool(inputs) == bool(named):
            raise refused("E_INPUTS", "inputs", "positional and named" if inputs else "none", "one way, at least one")
        return Node(inputs or named, self._compute, name=name, **self._said)


@overload
def node(*, compute_batch: ComputeBatch | None = None, **said: Unpack[_Said]) -> Callable[[Compute], NodeFactory]: ...


@overload
def node(*, state: Sequence[float], **said: Unpack[_Said]) -> Callable[[Step], NodeFactory]: ...


def node(**said: Any) -> Callable[[Any], NodeFactory]:
    """Decorator: turn `compute(view)` into a factory of nodes; options as of Node: period (1), schema, kind, join.

    `code_version` states the identity of code that cannot be hashed (an uncapturable closure). `state`: the numbers
    that a node with memory begins with; the function is then `step(state, view)`, pure, and returns the state after the
    event and the value: `return (high,), view[0].latest / high - 1.0`. `compute_batch`: the function for many events at
    once, `batch(view)`, for a node without a state. Raises InvalidRequest (E_FIELD).
    """
    return lambda compute: NodeFactory(compute, said)
