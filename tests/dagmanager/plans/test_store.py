"""Versions of plans follow their DAGs."""

from __future__ import annotations

import pytest

from dagmanager.graph import reads as graph_reads
from dagmanager.plans import reads
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotFound
from qmtl.dag.v1 import graph_service_pb2 as graphservicepb
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from qmtl.wire.paging import page_from_proto
from tests.dagmanager.graph_store import GraphStore
from tests.dagmanager.graphs import chain, node


async def test_versions_follow_the_dag(graph_store: GraphStore) -> None:
    versions = [
        (await graph_store.diff(made, label=label)).summary.version
        for made, label in ((chain(2), ""), (chain(3), ""), (chain(3), "v2"), (chain(3), "hotfix"), (chain(2), ""))
    ]
    assert versions == [1, 2, 2, 3, 4]
    listed = await graph_store.db.read(
        lambda conn: reads.list_plans(conn, planservicepb.ListPlansRequest(strategy_id="s1"), None)
    )
    assert [(plan.version, plan.version_label) for plan in listed.plans] == [
        (4, "v4"), (3, "hotfix"), (2, "v2"), (1, "v1")
    ]  # fmt: skip


async def test_pages_are_of_the_plan_of_the_first_page(graph_store: GraphStore) -> None:
    """A newer version that comes between two pages is not mixed into the older one."""

    async def read(*tokens: str) -> list[tuple[set[str], str]]:
        """Nodes and token of one page of each listing."""
        asked = [commonpb.PageRequest(page_size=2, page_token=token) for token in tokens]
        planned = planservicepb.ListPlanNodesRequest(strategy_id="s1", page=asked[0])
        drawn = graphservicepb.GetGraphRequest(strategy_id="s1", page=asked[1])
        listed = graphservicepb.ListNodesRequest(strategy_id="s1", page=asked[2])
        page = page_from_proto(drawn, (str, int))
        plan = await graph_store.db.read(lambda conn: reads.plan_nodes(conn, planned, None))
        graph = await graph_store.db.read(lambda conn: graph_reads.strategy_graph(conn, "s1", page, None))
        nodes = await graph_store.db.read(lambda conn: graph_reads.list_nodes(conn, listed, None))
        return [
            ({each.node_id for each in plan.nodes}, plan.page.next_page_token),
            ({each.node_id for each in graph.nodes}, graph.page.next_page_token),
            ({each.node_id for each in nodes.nodes}, nodes.page.next_page_token),
        ]

    made = chain(3)
    await graph_store.diff(made)
    first = await read("", "", "")
    await graph_store.diff([*(node(f"other {number}") for number in range(5)), made[0]])
    rest = await read(*(token for _, token in first))
    for (head, token), (tail, end) in zip(first, rest, strict=True):
        assert (len(head), bool(token), len(tail), end) == (2, True, 1, "")
        assert head | tail == {each.node_id for each in made}
    assert all(not found & {made[1].node_id, made[2].node_id} for found, _ in await read("", "", ""))


async def test_the_stored_plan_is_the_submitted_dag(graph_store: GraphStore) -> None:
    made = chain(3, tags=["btc"])
    await graph_store.diff(made)
    plan = await graph_store.db.read(lambda conn: reads.get_plan(conn, "s1", 0, None))
    asked = planservicepb.ListPlanNodesRequest(strategy_id="s1", page=commonpb.PageRequest(page_size=2))
    first = await graph_store.db.read(lambda conn: reads.plan_nodes(conn, asked, None))
    asked.page.page_token = first.page.next_page_token
    rest = await graph_store.db.read(lambda conn: reads.plan_nodes(conn, asked, None))
    assert [each.name for each in (*first.nodes, *rest.nodes)] == ["n0", "n1", "n2"]
    assert (first.version, len(first.nodes), rest.page.next_page_token) == (1, 2, "")
    assert (plan.version, list(plan.live_worlds), plan.created_by) == (1, ["w1"], "alice")
    with pytest.raises(NotFound):
        await graph_store.db.read(lambda conn: reads.get_plan(conn, "s1", 2, None))
