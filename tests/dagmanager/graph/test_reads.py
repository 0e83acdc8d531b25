"""Nodes, edges and queues as readers find them."""

from __future__ import annotations

from dagmanager.graph import reads
from dagmanager.queues import reads as queues_reads
from dagmanager.queues.domain.queues import MatchMode, tag_query
from qmtl.core.paging import Page
from qmtl.dag.v1 import graph_service_pb2 as graphservicepb
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from tests.dagmanager.graph_store import GraphStore
from tests.dagmanager.graphs import chain, context, node


async def test_readers_find_nodes_edges_and_queues(graph_store: GraphStore) -> None:
    a, b, c = chain(3, tags=["btc"])
    await graph_store.diff([a, b, c, node("alone", tags=["eth"])], "s1")
    await graph_store.diff([a], "s2", [context("w2")])
    page: Page[tuple[str, int]] = Page()
    graph = await graph_store.db.read(lambda conn: reads.strategy_graph(conn, "s1", page, None))
    inputs = {each.node_id: list(each.spec.dependencies) for each in graph.nodes}
    assert (inputs[b.node_id], inputs[c.node_id]) == ([a.node_id], [b.node_id])
    near = await graph_store.db.read(lambda conn: reads.neighbourhood(conn, a.node_id, 0, page, None))
    assert {each.node_id for each in near.nodes} == {a.node_id, b.node_id}
    all_near = await graph_store.db.read(lambda conn: reads.neighbourhood(conn, a.node_id, 2, page, None))
    assert {each.node_id for each in all_near.nodes} == {a.node_id, b.node_id, c.node_id}
    found = await graph_store.db.read(lambda conn: reads.get_node(conn, a.node_id, None))
    assert list(found.strategies) == ["s1", "s2"]
    request = graphservicepb.ListNodesRequest(tag="btc", strategy_id="s1", node_type="indicator.ema")
    listed = await graph_store.db.read(lambda conn: reads.list_nodes(conn, request, None))
    assert {each.node_id for each in listed.nodes} == {a.node_id, b.node_id, c.node_id}
    mine = queuecatalogueservicepb.ListQueuesRequest(strategy_id="s1", node_id=a.node_id)
    queues_of = await graph_store.db.read(lambda conn: queues_reads.page_of_queues(conn, mine, None))
    assert [(queue.world_id, queue.references) for queue in queues_of.queues] == [("w1", 1)]
    query = tag_query(["btc"], MatchMode.ALL, 900)
    matching = await graph_store.db.read(lambda conn: queues_reads.matching_queues(conn, query, 10))
    assert len(matching) == 4
