"""StatusService of seamless: how the process stands and whether anything it should serve is missing."""

from datetime import datetime
from importlib import metadata

from controlbus.outbox.status import outage_statuses
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.data.v1 import status_service_pb2 as datastatuspb
from qmtl.data.v1 import status_service_pb2_grpc as datastatusrpc
from qmtl.rpc.outages import Outages
from seamless.artifacts.inventory import DatasetState, Inventory


class StatusServicer(datastatusrpc.StatusServiceServicer):
    """Answers from memory."""

    def __init__(self, inventory: Inventory, started_at: datetime, outages: Outages) -> None:
        self._outages = outages
        self._inventory = inventory
        self._started_at = started_at

    async def GetStatus(
        self, request: datastatuspb.GetStatusRequest, context: object
    ) -> datastatuspb.GetStatusResponse:
        states = [self._inventory.status(p).state for p in self._inventory.presets.all if p.available]
        outages = self._outages.current()
        status = commonpb.ServiceStatus(
            service="seamless",
            version=metadata.version("qmtl"),
            started_at=self._started_at,
            dependencies=outage_statuses(outages),
            degraded=DatasetState.UNAVAILABLE in states or bool(outages),
        )
        return datastatuspb.GetStatusResponse(status=status)
