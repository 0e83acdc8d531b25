"""Nodes and queues of one strategy, every page of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qmtl.cli.gateway.pages import every
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb

if TYPE_CHECKING:
    from qmtl.dag.v1.plan_service_pb2_grpc import PlanServiceAsyncStub
    from qmtl.gateway.v1.strategy_service_pb2_grpc import StrategyServiceAsyncStub


async def plan_nodes(stub: PlanServiceAsyncStub, strategy_id: str, version: int) -> list[dagpb.DagNode]:
    """The nodes of a stored plan, in the order of its DAG; version 0: of the newest."""
    wanted = version

    async def page_of(page: commonpb.PageRequest) -> tuple[list[dagpb.DagNode], commonpb.PageInfo]:
        nonlocal wanted
        request = planservicepb.ListPlanNodesRequest(strategy_id=strategy_id, version=wanted, page=page)
        reply = await stub.ListPlanNodes(request)
        wanted = reply.version
        return list(reply.nodes), reply.page

    return await every(page_of)


async def assignments_of(
    stub: StrategyServiceAsyncStub, strategy_id: str, world_id: str
) -> list[diffpb.QueueAssignment]:
    """The queue of each of a strategy's nodes in one of its worlds."""

    async def page_of(page: commonpb.PageRequest) -> tuple[list[diffpb.QueueAssignment], commonpb.PageInfo]:
        request = strategyservicepb.ListAssignmentsRequest(strategy_id=strategy_id, world_id=world_id, page=page)
        reply = await stub.ListAssignments(request)
        return list(reply.assignments), reply.page

    return await every(page_of)
