"""PlanService: versions of submitted DAGs, as readers ask for them."""

from __future__ import annotations

from dagmanager.access import reader_worlds
from dagmanager.plans import reads
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from qmtl.dag.v1 import plan_service_pb2_grpc as planrpc
from qmtl.sql.database import Database


class PlanService(planrpc.PlanServiceServicer):
    """Reads plans from one store."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def GetPlan(self, request: planservicepb.GetPlanRequest, context: object) -> planservicepb.GetPlanResponse:
        worlds = reader_worlds()
        plan = await self._db.read(lambda conn: reads.get_plan(conn, request.strategy_id, request.version, worlds))
        return planservicepb.GetPlanResponse(plan=plan)

    async def ListPlanNodes(
        self, request: planservicepb.ListPlanNodesRequest, context: object
    ) -> planservicepb.ListPlanNodesResponse:
        worlds = reader_worlds()
        return await self._db.read(lambda conn: reads.plan_nodes(conn, request, worlds))

    async def ListPlans(
        self, request: planservicepb.ListPlansRequest, context: object
    ) -> planservicepb.ListPlansResponse:
        worlds = reader_worlds()
        return await self._db.read(lambda conn: reads.list_plans(conn, request, worlds))
