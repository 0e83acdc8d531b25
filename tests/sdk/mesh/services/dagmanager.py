"""Queues as the graph knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.dag.v1 import queue_pb2 as queuepb

if TYPE_CHECKING:
    from tests.sdk.mesh.fakes import FakeMesh


class FakeQueueCatalogue:
    def __init__(self, mesh: FakeMesh) -> None:
        self.mesh = mesh

    async def GetQueue(
        self, request: queuecatalogueservicepb.GetQueueRequest
    ) -> queuecatalogueservicepb.GetQueueResponse:
        queue, written = queuepb.Queue(compute_key=request.compute_key), self.mesh.queues.get(request.compute_key)
        if written:
            queue.last_bucket.CopyFrom(written[-1].end_time)
        return queuecatalogueservicepb.GetQueueResponse(queue=queue)
