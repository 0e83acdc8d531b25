"""StatusService: how the operator service and its connection to the broker are."""

from __future__ import annotations

from controlbus.bus import Bus
from controlbus.outbox.status import service_status
from qmtl.control.v1 import status_service_pb2 as controlstatusservicepb
from qmtl.control.v1 import status_service_pb2_grpc as controlstatusrpc
from qmtl.core.clock import Clock
from qmtl.rpc.outages import Outages

SERVICE = "controlbus"


class StatusService(controlstatusrpc.StatusServiceServicer):
    """Reads the process's connection."""

    def __init__(self, bus: Bus, clock: Clock, outages: Outages) -> None:
        self._bus = bus
        self._clock = clock
        self._outages = outages
        self._started_at = clock.now()

    async def GetStatus(
        self, request: controlstatusservicepb.GetStatusRequest, context: object
    ) -> controlstatusservicepb.GetStatusResponse:
        status = service_status(
            SERVICE, self._started_at, self._bus, outages=self._outages.current(), clock=self._clock
        )
        return controlstatusservicepb.GetStatusResponse(status=status)
