"""Plans over a real wire."""

from __future__ import annotations

from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from tests.dagmanager.graphs import chain
from tests.dagmanager.serving import Served, chunks, diff_request


async def test_release_is_idempotent_and_shows_in_the_plan(served: Served) -> None:
    async with served.stub() as stub:
        await chunks(stub, diff_request(chain(2), "r1", "s1"))
        request = diffservicepb.ReleasePlanRequest(strategy_id="s1", version=1, world_id="w1")
        assert [(await stub.diffs.ReleasePlan(request)).released_queues for _ in range(2)] == [2, 0]
        assert list((await stub.plans.GetPlan(planservicepb.GetPlanRequest(strategy_id="s1"))).plan.live_worlds) == []
