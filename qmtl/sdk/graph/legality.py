"""The type rule over a whole graph: no delayed stream reaches a decision or an order.

A delayed stream (a label) knows the future of its own event time; only a sealed artifact may be made from it. The
refusal names the path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qmtl.core.errors import InvalidRequest, refused
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.kinds import FEEDS, TRADING
from qmtl.sdk.graph.vertices import Vertex


def check_delayed(nodes: Sequence[Vertex], names: Mapping[str, str]) -> None:
    """Raise InvalidRequest (E_DELAYED_STREAM_LEAK) where a label reaches a decision or an order, naming the path."""
    behind: dict[str, list[str]] = {}
    for vertex in nodes:
        if vertex.kind is SemanticKind.IMMUTABLE_ARTIFACT:
            continue
        path = next((behind[item.node_id] for item in vertex.inputs if item.node_id in behind), None)
        if path is None and vertex.kind is not SemanticKind.DELAYED_STREAM:
            continue
        behind[vertex.node_id] = [*(path or ()), names[vertex.node_id]]
        if vertex.kind in TRADING:
            shown = " -> ".join(behind[vertex.node_id])
            raise InvalidRequest(
                "E_DELAYED_STREAM_LEAK",
                f"a delayed stream reaches {vertex.kind.value} {names[vertex.node_id]} by {shown}",
                hint="a label knows the future of its own event time; only an artifact may be made from it",
                metadata={"path": shown},
            )


def check_kinds(nodes: Sequence[Vertex], names: Mapping[str, str]) -> None:
    """Raise InvalidRequest (E_KIND_CONNECTION) for an edge between kinds that may not be connected."""
    for vertex in nodes:
        for item in vertex.inputs:
            if vertex.kind not in FEEDS[item.kind]:
                edge = f"{names[item.node_id]} ({item.kind.value}) -> {names[vertex.node_id]} ({vertex.kind.value})"
                allowed = ", ".join(sorted(kind.value for kind in FEEDS[item.kind]))
                raise refused("E_KIND_CONNECTION", "connection", edge, f"{item.kind.value} feeds {allowed}")
