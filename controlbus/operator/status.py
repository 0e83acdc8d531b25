"""StatusService: how the operator service and its connection to the broker are."""

from __future__ import annotations

from controlbus.outbox.status import StatusSources
from qmtl.control.v1 import status_service_pb2 as controlstatusservicepb
from qmtl.control.v1 import status_service_pb2_grpc as controlstatusrpc


class StatusService(controlstatusrpc.StatusServiceServicer):
    """Reads the process's connection."""

    def __init__(self, sources: StatusSources) -> None:
        self._sources = sources

    async def GetStatus(
        self, request: controlstatusservicepb.GetStatusRequest, context: object
    ) -> controlstatusservicepb.GetStatusResponse:
        return controlstatusservicepb.GetStatusResponse(status=self._sources.status())
