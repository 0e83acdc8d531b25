"""Plans over a real wire."""

from __future__ import annotations

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.roles import Role
from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.dag.v1 import graph_service_pb2 as graphservicepb
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from tests.dagmanager.graphs import chain, node
from tests.dagmanager.serving import Served, chunks, diff_request


async def test_release_is_idempotent_and_shows_in_the_plan(served: Served) -> None:
    async with served.stub() as stub:
        await chunks(stub, diff_request(chain(2), "r1", "s1"))
        request = diffservicepb.ReleasePlanRequest(strategy_id="s1", version=1, world_id="w1")
        assert [(await stub.diffs.ReleasePlan(request)).released_queues for _ in range(2)] == [2, 0]
        assert list((await stub.plans.GetPlan(planservicepb.GetPlanRequest(strategy_id="s1"))).plan.live_worlds) == []


async def test_a_plan_of_thousands_of_nodes_is_read_page_by_page(served: Served) -> None:
    made = [node(f"{number}-{'x' * 180}") for number in range(3_000)]  # 2 MiB: no reply has room for them
    page = commonpb.PageRequest(page_size=1000)
    async with served.stub(role=Role.READER) as stub:
        await chunks(stub, diff_request(made, "r1", "s1"))
        of_plan = planservicepb.ListPlanNodesRequest(strategy_id="s1", page=page)
        planned: list[str] = []
        while of_plan.page.page_token or not planned:
            reply = await stub.plans.ListPlanNodes(of_plan)
            planned += [each.node_id for each in reply.nodes]
            of_plan.page.page_token = reply.page.next_page_token
        of_graph = graphservicepb.GetGraphRequest(strategy_id="s1", page=page)
        drawn: list[str] = []
        while of_graph.page.page_token or not drawn:
            graph = await stub.graph.GetGraph(of_graph)
            drawn += [each.node_id for each in graph.nodes]
            of_graph.page.page_token = graph.page.next_page_token
    assert drawn == sorted(each.node_id for each in made)
    assert sorted(planned) == drawn
