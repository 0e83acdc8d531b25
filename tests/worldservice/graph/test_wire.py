"""World nodes and edge overrides on the wire: what is turned into a message and back is the same value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.modes import ExecutionDomain
from qmtl.world.v1 import world_graph_pb2 as worldgraphpb
from worldservice.graph import wire as graph_wire
from worldservice.graph.domain.edges import EdgeStanding
from worldservice.graph.domain.nodes import EdgeKey, EdgeOverride, NodeStatus, WorldNode

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
DOMAIN = st.sampled_from(ExecutionDomain)


@given(
    st.builds(WorldNode, TEXT, TEXT, DOMAIN, st.sampled_from(NodeStatus), TEXT, st.dictionaries(TEXT, TEXT, max_size=3))
)
def test_a_world_node_comes_back(node: WorldNode) -> None:
    assert graph_wire.node_from_proto(graph_wire.node_to_proto(node)) == node


@given(st.builds(EdgeOverride, st.builds(EdgeKey, TEXT, TEXT, DOMAIN, TEXT, DOMAIN), st.booleans(), TEXT))
def test_an_edge_override_comes_back(override: EdgeOverride) -> None:
    sent = graph_wire.override_to_proto(override, EdgeStanding.OFF)
    assert graph_wire.override_from_proto(sent) == override
    assert sent.standing == worldgraphpb.EDGE_STANDING_OFF


def test_an_edge_without_domains_is_one_in_backtest_and_without_a_beginning_one_within_its_domain() -> None:
    bare = worldgraphpb.EdgeOverride(world_id="w", from_node_id="a", to_node_id="b")
    assert graph_wire.override_from_proto(bare).key == EdgeKey(
        "w", "a", ExecutionDomain.BACKTEST, "b", ExecutionDomain.BACKTEST
    )
    bare.to_domain = commonpb.EXECUTION_DOMAIN_LIVE
    assert graph_wire.override_from_proto(bare).key == EdgeKey(
        "w", "a", ExecutionDomain.LIVE, "b", ExecutionDomain.LIVE
    )
