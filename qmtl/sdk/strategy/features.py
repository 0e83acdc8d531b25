"""What a strategy publishes: the output of a node as a feature that others read, under a key of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qmtl.core.errors import refused
from qmtl.core.identity.canonical import Json
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.vertices import StreamInput, Vertex


@dataclass(frozen=True, slots=True, eq=False)
class PublishRule:
    """A node whose output is kept as the feature `factor` with these parameters; `schema`, if named, is compared."""

    factor: str
    node: Vertex
    source: StreamInput
    params: Mapping[str, Json]
    schema: str


def publish_rule(factor: str, node: Vertex, params: Mapping[str, Json], schema: str) -> PublishRule:
    """Raises InvalidRequest (E_FIELD) for a node that is no causal stream of one source: a feature is known at its
    instant, and its key names one instrument and one fingerprint, so it is made of no other feature.
    """
    if node.kind is not SemanticKind.CAUSAL_STREAM:
        raise refused(
            "E_FIELD",
            "node",
            f"{node.name} ({node.kind.value})",
            "a causal stream: neither labels nor what reads a position",
        )
    features = [vertex.name for vertex in _above(node) if vertex.kind is SemanticKind.IMMUTABLE_ARTIFACT]
    if features:
        found = f"{node.name}, which reads feature {', '.join(features)}"
        raise refused("E_FIELD", "node", found, "a node of bars only")
    sources = {vertex.node_id: vertex for vertex in _above(node) if isinstance(vertex, StreamInput)}
    if len(sources) != 1:
        read = ", ".join(sorted(source.symbol for source in sources.values())) or "none"
        raise refused("E_FIELD", "node", f"{node.name} of sources {read}", "a node of one source")
    return PublishRule(factor, node, next(iter(sources.values())), params, schema)


def _above(node: Vertex) -> list[Vertex]:
    """A node and everything that it reads."""
    found: dict[str, Vertex] = {}
    open_ = [node]
    while open_:
        vertex = open_.pop()
        if vertex.node_id not in found:
            found[vertex.node_id] = vertex
            open_.extend(vertex.inputs)
    return list(found.values())
