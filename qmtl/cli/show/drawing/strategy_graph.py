"""A strategy's graph for people: which nodes, fed by what, new or met in the graph, used by whom else.

Pure: answers of three owners in, text out. The same view is drawn in the terminal, written as Graphviz DOT, or JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from qmtl.cli.show.drawing.canvas import ASCII, Item, draw
from qmtl.cli.show.formats import short_id, span_word
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import graph_service_pb2 as graphservicepb

DRAWN_MAX = 150  # beyond it nobody follows a line any more
_REUSED = (diffpb.DISPOSITION_REUSED, diffpb.DISPOSITION_REUSED_WITH_BUFFERING)


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node. `shared_with` counts the other live strategies that use it."""

    node_id: str
    name: str
    node_type: str
    interval: str
    inputs: tuple[str, ...]
    is_reused: bool
    shared_with: int
    is_delayed: bool

    @property
    def marks(self) -> str:
        """◆ it was in the graph before, ⇄n other strategies use it too, `label` its values come late."""
        shared = f"⇄{self.shared_with}" if self.shared_with else ""
        return " ".join(mark for mark in ("◆" * self.is_reused, shared, "label" * self.is_delayed) if mark)


def view_of_plan(
    strategy_id: str,
    nodes: Iterable[dagpb.DagNode],
    stored: Iterable[graphservicepb.GraphNode],
    assignments: Iterable[diffpb.QueueAssignment],
) -> list[NodeView]:
    """The nodes of a strategy's plan, with what the graph and the submission say of its nodes."""
    users = {node.node_id: set(node.strategies) - {strategy_id} for node in stored}
    reused = {one.node_id for one in assignments if one.disposition in _REUSED}
    return [
        NodeView(
            node_id=node.node_id,
            name=node.name or short_id(node.node_id),
            node_type=node.spec.node_type,
            interval=span_word(node.spec.interval_s),
            inputs=tuple(node.input_ids) or tuple(node.spec.dependencies),
            is_reused=node.node_id in reused,
            shared_with=len(users.get(node.node_id, ())),
            is_delayed=node.kind == dagpb.SEMANTIC_KIND_DELAYED_STREAM,
        )
        for node in nodes
    ]


def view_of_graph(nodes: Sequence[graphservicepb.GraphNode]) -> list[NodeView]:
    """A part of the global graph, where nodes have no names of their own."""
    inside = {node.node_id for node in nodes}
    return [
        NodeView(
            node_id=node.node_id,
            name=short_id(node.node_id),
            node_type=node.spec.node_type,
            interval=span_word(node.spec.interval_s),
            inputs=tuple(node_id for node_id in node.spec.dependencies if node_id in inside),
            is_reused=False,
            shared_with=max(0, len(node.strategies) - 1),
            is_delayed=node.kind == dagpb.SEMANTIC_KIND_DELAYED_STREAM,
        )
        for node in nodes
    ]


def drawing(nodes: Sequence[NodeView], width: int, *, ascii_only: bool = False) -> str:
    """The nodes as boxes; a count by type when they are too many to follow."""
    if len(nodes) > DRAWN_MAX:
        counts = Counter(node.node_type for node in nodes)
        lines = [f"{count:>6}  {name}" for name, count in counts.most_common()]
        return "\n".join([f"{len(nodes)} nodes are too many to draw (at most {DRAWN_MAX}); --dot writes them", *lines])
    items = [
        Item(
            node.node_id,
            f"{node.name} {node.marks}".rstrip(),
            f"{node.node_type} {node.interval}".rstrip(),
            node.inputs,
        )
        for node in nodes
    ]
    text = draw(items, width, ascii_only=ascii_only)
    legend = _legend(nodes)
    return f"{text}\n{legend.translate(ASCII) if ascii_only else legend}" if legend else text


def dot(title: str, nodes: Sequence[NodeView]) -> str:
    """Graphviz DOT: shared nodes filled, reused ones with a thick border, labels dashed."""
    known = {node.node_id for node in nodes}
    lines = [f"digraph {_quoted(title)} {{", "  rankdir=TB;", '  node [shape=box, fontname="Helvetica"];']
    for node in nodes:
        styles = ["filled"] * bool(node.shared_with) + ["bold"] * node.is_reused + ["dashed"] * node.is_delayed
        style = f', style="{",".join(styles)}"' if styles else ""
        label = "\n".join((f"{node.name} {node.marks}".rstrip(), f"{node.node_type} {node.interval}".rstrip()))
        lines.append(f"  {_quoted(node.node_id)} [label={_quoted(label)}{style}];")
    for node in nodes:
        edges = dict.fromkeys(one for one in node.inputs if one in known)
        lines += [f"  {_quoted(one)} -> {_quoted(node.node_id)};" for one in edges]
    return "\n".join([*lines, "}"])


def as_json(nodes: Iterable[NodeView]) -> list[Mapping[str, object]]:
    return [asdict(node) for node in nodes]


def _legend(nodes: Sequence[NodeView]) -> str:
    notes = [
        ("◆ was in the graph before", any(node.is_reused for node in nodes)),
        ("⇄n used by n other live strategies", any(node.shared_with for node in nodes)),
        ("label: values come late, never reach an order", any(node.is_delayed for node in nodes)),
    ]
    return "   ".join(note for note, wanted in notes if wanted)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
