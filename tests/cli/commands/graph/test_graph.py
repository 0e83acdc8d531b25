"""`qmtl graph`: a strategy drawn with its shared nodes, as JSON and DOT, and one node."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Estate
from tests.cli.show.drawing.test_canvas import edges_in

pytestmark = pytest.mark.timeout(180)


def test_graph_is_drawn_with_what_is_shared(estate: Estate) -> None:
    text = estate.ask("graph", "show", estate.trend)
    names = {(one.split()[0], other.split()[0]) for one, other in edges_in(text)}
    assert names == {
        ("BTC-USD", "ema_192"), ("ema_192", "slope"), ("slope", "threshold"),
        ("threshold", "target"), ("target", "orders"), ("BTC-USD", "orders"),
    }  # fmt: skip
    assert "ema_192 ◆ ⇄1" in text
    assert "◆ was in the graph before" in text
    assert estate.ask("graph", "show", estate.trend, "--ascii").isascii()
    assert "⇄" in estate.ask("graph", "show", estate.cross)
    assert "E_PLAN_UNKNOWN" in estate.refused("graph", "show", "nobody")


def test_graph_as_json_dot_and_one_node(estate: Estate) -> None:
    document = estate.json("graph", "show", estate.trend)
    reused = {node["name"] for node in document["nodes"] if node["is_reused"]}
    assert reused == {"BTC-USD", "ema_192"}
    dot = estate.ask("graph", "show", estate.trend, "--dot")
    assert dot.startswith("digraph")
    assert dot.count(" -> ") == 6
    source = next(node for node in document["nodes"] if node["name"] == "BTC-USD")
    bare = source["node_id"].removeprefix("blake3:")
    shown = estate.ask("graph", "node", bare)
    assert "StreamInput" in shown
    assert estate.cross in shown
    assert estate.json("graph", "node", bare)["node"]["node_id"] == source["node_id"]
    assert "E_NODE_UNKNOWN" in estate.refused("graph", "node", "blake3:" + "0" * 64)
