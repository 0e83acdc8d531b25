"""The graph over a real wire: walked, paged, and limited to the worlds of a token."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from google.protobuf.duration_pb2 import Duration

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, NotFound, PermissionDenied
from qmtl.core.modes import ExecutionDomain
from qmtl.core.roles import Role
from qmtl.dag.v1 import graph_service_pb2 as graphservicepb
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.dag.v1 import queue_pb2 as queuepb
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb
from tests.dagmanager.graphs import chain, context, tag_query_node
from tests.dagmanager.serving import Served, chunks, diff_request, tag_query
from tests.dagmanager.stubs import DagStubs


async def test_a_token_for_one_world_sees_nothing_of_another(served: Served) -> None:
    async with served.stub() as gateway:
        await chunks(gateway, diff_request(chain(1), "r1", "theirs", [context("w2")]))
        (chunk,) = await chunks(gateway, diff_request(chain(2), "r2", "mine", [context("w1")]))
    async with served.stub(role=Role.OPERATOR, worlds=["w1"]) as stub:
        assert {plan.strategy_id for plan in (await stub.plans.ListPlans(planservicepb.ListPlansRequest())).plans} == {
            "mine"
        }
        assert {
            queue.world_id
            for queue in (await stub.queues.ListQueues(queuecatalogueservicepb.ListQueuesRequest())).queues
        } == {"w1"}
        node_id = chunk.assignments[0].node_id
        assert (await stub.graph.GetNode(graphservicepb.GetNodeRequest(node_id=node_id))).node.strategies == ["mine"]
        for refused in (
            stub.plans.GetPlan(planservicepb.GetPlanRequest(strategy_id="theirs")),
            stub.queues.ListQueues(queuecatalogueservicepb.ListQueuesRequest(world_id="w2")),
            stub.queues.QueryQueues(queuecatalogueservicepb.QueryQueuesRequest(query=tag_query("w2"))),
            stub.queues.QueryQueues(queuecatalogueservicepb.QueryQueuesRequest(query=tag_query(""))),
            stub.sentinels.SetTrafficWeight(sentinelservicepb.SetTrafficWeightRequest(sentinel_id="theirs@1")),
        ):
            with pytest.raises(PermissionDenied) as caught:
                await refused
            assert caught.value.reason == "E_WORLD_FORBIDDEN"


async def test_the_graph_can_be_walked(served: Served) -> None:
    nodes = [*chain(3, tags=["btc"]), tag_query_node(["btc"], "all")]
    async with served.stub(role=Role.READER) as stub:
        await chunks(stub, diff_request(nodes, "r1", "s1", [context("w1", ExecutionDomain.DRYRUN)]))
        graph = await stub.graph.GetGraph(graphservicepb.GetGraphRequest(strategy_id="s1"))
        inputs = {each.node_id: list(each.spec.dependencies) for each in graph.nodes}
        wanted = {nodes[0].node_id: [], nodes[1].node_id: [nodes[0].node_id], nodes[2].node_id: [nodes[1].node_id]}
        assert inputs == wanted | {nodes[3].node_id: []}
        around = await stub.graph.GetGraph(graphservicepb.GetGraphRequest(node_id=nodes[0].node_id))
        assert {each.node_id for each in around.nodes} == {nodes[0].node_id, nodes[1].node_id}
        found = (await stub.graph.GetNode(graphservicepb.GetNodeRequest(node_id=nodes[1].node_id))).node
        assert found.spec == diff_request([nodes[1]], "", "").dag.nodes[0].spec
        query = queuepb.TagQuery(
            tags=[" btc"],
            match_mode=queuepb.MATCH_MODE_ALL,
            interval=Duration(seconds=900),
            world_id="w1",
            execution_domain=commonpb.EXECUTION_DOMAIN_DRYRUN,
        )
        answered = await stub.queues.QueryQueues(queuecatalogueservicepb.QueryQueuesRequest(query=query))
        assert (len(answered.queues), answered.queue_set_revision) == (3, 1)
        tagged = await stub.graph.ListNodes(graphservicepb.ListNodesRequest(tag="btc"))
        assert len(tagged.nodes) == 3
        with pytest.raises(InvalidRequest) as caught:
            await stub.graph.GetGraph(graphservicepb.GetGraphRequest())
        assert caught.value.reason == "E_GRAPH_ROOT"
        with pytest.raises(NotFound):
            await stub.graph.GetNode(graphservicepb.GetNodeRequest(node_id="blake3:0"))


async def test_listings_come_in_pages(served: Served) -> None:
    async with served.stub(role=Role.READER) as stub:
        for index in range(3):
            await chunks(stub, diff_request(chain(index + 1), f"r{index}", f"s{index}"))
        first = await stub.plans.ListPlans(planservicepb.ListPlansRequest(page=commonpb.PageRequest(page_size=2)))
        token = first.page.next_page_token
        rest = await stub.plans.ListPlans(
            planservicepb.ListPlansRequest(page=commonpb.PageRequest(page_size=2, page_token=token))
        )
        assert [plan.strategy_id for plan in (*first.plans, *rest.plans)] == ["s2", "s1", "s0"]
        assert rest.page.next_page_token == ""
        pages = [reply async for reply in pages_of_queues(stub, "s2", 2)]
        queues = [queue.compute_key for page in pages for queue in page]
        assert [len(page) for page in pages] == [2, 1]
        assert queues == sorted(set(queues))
        for bad in ("nonsense", "WzFd", token[:-4]):
            with pytest.raises(InvalidRequest) as caught:
                await stub.queues.ListQueues(
                    queuecatalogueservicepb.ListQueuesRequest(page=commonpb.PageRequest(page_token=bad))
                )
            assert caught.value.reason == "E_PAGE_TOKEN"


async def pages_of_queues(stub: DagStubs, strategy_id: str, size: int) -> AsyncIterator[list[queuepb.Queue]]:
    page = commonpb.PageRequest(page_size=size)
    while True:
        reply = await stub.queues.ListQueues(
            queuecatalogueservicepb.ListQueuesRequest(strategy_id=strategy_id, page=page)
        )
        yield list(reply.queues)
        page.page_token = reply.page.next_page_token
        if not page.page_token:
            return
