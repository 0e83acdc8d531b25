"""Nodes and queues of one strategy, every page of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qmtl.cli.gateway.pages import listed
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb

if TYPE_CHECKING:
    from qmtl.dag.v1.plan_service_pb2_grpc import PlanServiceAsyncStub
    from qmtl.gateway.v1.strategy_service_pb2_grpc import StrategyServiceAsyncStub


async def plan_nodes(stub: PlanServiceAsyncStub, strategy_id: str, version: int) -> list[dagpb.DagNode]:
    """The nodes of a stored plan, in the order of its DAG; version 0: of the newest."""
    request = planservicepb.ListPlanNodesRequest(strategy_id=strategy_id, version=version)

    def nodes(reply: planservicepb.ListPlanNodesResponse) -> Iterable[dagpb.DagNode]:
        request.version = reply.version  # of all pages
        return reply.nodes

    return await listed(stub.ListPlanNodes, request, nodes)


async def assignments_of(
    stub: StrategyServiceAsyncStub, strategy_id: str, world_id: str
) -> list[diffpb.QueueAssignment]:
    """The queue of each of a strategy's nodes in one of its worlds."""
    request = strategyservicepb.ListAssignmentsRequest(strategy_id=strategy_id, world_id=world_id)
    return await listed(stub.ListAssignments, request, lambda reply: reply.assignments)
