"""`qmtl graph`: a strategy drawn with its shared nodes, as JSON and DOT, and one node."""

from __future__ import annotations

import re

import pytest

from tests.cli.conftest import CliMesh
from tests.cli.show.drawing.test_canvas import edges_in

pytestmark = pytest.mark.timeout(180)


def test_graph_is_drawn_with_what_is_shared(cli_mesh: CliMesh) -> None:
    text = cli_mesh.ask("graph", "show", cli_mesh.trend)
    names = {(one.split()[0], other.split()[0]) for one, other in edges_in(text)}
    assert names == {
        ("BTC-USD", "ema_192"), ("ema_192", "slope"), ("slope", "threshold"),
        ("threshold", "target"), ("target", "orders"), ("BTC-USD", "orders"),
    }  # fmt: skip
    assert re.search("ema_192 ◆ ⇄[1-9]", text)  # by as many as there are of other worlds
    assert "◆ was in the graph before" in text
    assert cli_mesh.ask("graph", "show", cli_mesh.trend, "--ascii").isascii()
    assert "⇄" in cli_mesh.ask("graph", "show", cli_mesh.cross)
    assert "E_PLAN_UNKNOWN" in cli_mesh.refused("graph", "show", "nobody")


def test_graph_as_json_dot_and_one_node(cli_mesh: CliMesh) -> None:
    document = cli_mesh.json("graph", "show", cli_mesh.trend)
    reused = {node["name"] for node in document["nodes"] if node["is_reused"]}
    assert reused == {"BTC-USD", "ema_192"}
    dot = cli_mesh.ask("graph", "show", cli_mesh.trend, "--dot")
    assert dot.startswith("digraph")
    assert dot.count(" -> ") == 6
    source = next(node for node in document["nodes"] if node["name"] == "BTC-USD")
    bare = source["node_id"].removeprefix("blake3:")
    shown = cli_mesh.ask("graph", "node", bare)
    assert "StreamInput" in shown
    assert cli_mesh.cross in shown
    assert cli_mesh.json("graph", "node", bare)["node"]["node_id"] == source["node_id"]
    assert "E_NODE_UNKNOWN" in cli_mesh.refused("graph", "node", "blake3:" + "0" * 64)
