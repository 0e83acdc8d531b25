"""A strategy's graph as text: marks, DOT, and what is too large to draw."""

from __future__ import annotations

from qmtl.cli.show.drawing import strategy_graph
from qmtl.dag.v1 import dag_pb2 as dagpb


def test_a_label_is_marked_and_quotes_survive_dot() -> None:
    node = dagpb.DagNode(node_id="n", name='a "b"', kind=dagpb.SEMANTIC_KIND_DELAYED_STREAM)
    view = strategy_graph.view_of_plan("s", [node], [], [])
    assert "label: values come late" in strategy_graph.drawing(view, 80)
    assert '"n" [label="a \\"b\\" label\\n", style="dashed"];' in strategy_graph.dot("g", view)


def test_a_graph_too_large_to_follow_is_counted_by_type() -> None:
    nodes = [dagpb.DagNode(node_id=str(n), spec=dagpb.NodeSpec(node_type="ema")) for n in range(151)]
    text = strategy_graph.drawing(strategy_graph.view_of_plan("s", nodes, [], []), 80)
    assert "151 nodes are too many to draw" in text
    assert "151  ema" in text
