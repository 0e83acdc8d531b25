"""Stubs of every service of dagmanager on one channel."""

from __future__ import annotations

from dataclasses import dataclass

from grpc import aio

from qmtl.dag.v1 import diff_service_pb2_grpc as diffrpc
from qmtl.dag.v1 import graph_service_pb2_grpc as graphrpc
from qmtl.dag.v1 import hotfix_service_pb2_grpc as hotfixrpc
from qmtl.dag.v1 import maintenance_service_pb2_grpc as maintenancerpc
from qmtl.dag.v1 import plan_service_pb2_grpc as planrpc
from qmtl.dag.v1 import queue_catalogue_service_pb2_grpc as queuecataloguerpc
from qmtl.dag.v1 import queue_progress_service_pb2_grpc as queueprogressrpc
from qmtl.dag.v1 import sentinel_service_pb2_grpc as sentinelrpc
from qmtl.dag.v1 import status_service_pb2_grpc as dagstatusrpc


@dataclass(frozen=True, slots=True)
class DagStubs:
    """One caller of dagmanager."""

    diffs: diffrpc.DiffServiceAsyncStub
    hotfixes: hotfixrpc.HotfixServiceAsyncStub
    plans: planrpc.PlanServiceAsyncStub
    graph: graphrpc.GraphServiceAsyncStub
    queues: queuecataloguerpc.QueueCatalogueServiceAsyncStub
    queue_progress: queueprogressrpc.QueueProgressServiceAsyncStub
    sentinels: sentinelrpc.SentinelServiceAsyncStub
    maintenance: maintenancerpc.MaintenanceServiceAsyncStub
    status: dagstatusrpc.StatusServiceAsyncStub

    @classmethod
    def over(cls, channel: aio.Channel) -> DagStubs:
        """The stubs of a channel."""
        return cls(
            diffrpc.DiffServiceStub(channel),
            hotfixrpc.HotfixServiceStub(channel),
            planrpc.PlanServiceStub(channel),
            graphrpc.GraphServiceStub(channel),
            queuecataloguerpc.QueueCatalogueServiceStub(channel),
            queueprogressrpc.QueueProgressServiceStub(channel),
            sentinelrpc.SentinelServiceStub(channel),
            maintenancerpc.MaintenanceServiceStub(channel),
            dagstatusrpc.StatusServiceStub(channel),
        )
