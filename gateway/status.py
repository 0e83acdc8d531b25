"""The gateway's own contract: strategies, event streams, orders, status. Each group has a file; doors do the work."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

from gateway.doors import Doors
from gateway.events.service import EventCalls
from gateway.events.subscribers import Subscribers
from gateway.orders.service import OrderCalls
from gateway.queues.service import QueueCalls
from gateway.submissions.service import StrategyCalls
from gateway.submissions.store import strategies
from gateway.submissions.tables import OUTBOX
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as servicepb
from qmtl.gateway.v1.service_pb2_grpc import GatewayServiceServicer

AVAILABLE: Mapping[int, tuple[str, ...]] = {
    gatewaypb.DEGRADATION_LEVEL_NORMAL: ("submissions", "reads", "orders", "cancels", "events"),
    gatewaypb.DEGRADATION_LEVEL_PARTIAL: ("submissions are queued", "reads", "orders", "cancels", "events"),
    gatewaypb.DEGRADATION_LEVEL_MINIMAL: ("cached reads", "cancels"),
    gatewaypb.DEGRADATION_LEVEL_STATIC: ("health", "status"),
}

PLANNED = {
    "SubmitOrderList": "Brokerage, complete",
    "ReplaceOrder": "Brokerage, complete",
}
VERSION = version("qmtl")


class GatewayServicer(StrategyCalls, EventCalls, OrderCalls, QueueCalls, GatewayServiceServicer):  # type: ignore[misc]  # SubscribeEvents writes by itself
    """See proto/qmtl/gateway/v1/service.proto for what each call does."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._subscribers = Subscribers()

    async def GetStatus(self, request: servicepb.GetStatusRequest, context: object) -> servicepb.GetStatusResponse:
        doors = self._doors
        level = doors.probes.level()
        queued, backlog = await doors.db.read(lambda conn: (strategies.queued(conn), OUTBOX.backlog(conn)))
        status = commonpb.ServiceStatus(
            service="gateway",
            version=VERSION,
            dependencies=doors.probes.dependencies(),
            outbox_depth=backlog.depth,
            degraded=level != gatewaypb.DEGRADATION_LEVEL_NORMAL,
        )
        status.started_at.FromDatetime(doors.started_at)
        return servicepb.GetStatusResponse(
            status=status,
            level=level,
            gates=doors.gates.status(),
            available=AVAILABLE[level],
            submissions_queued=queued,
            event_subscribers=self._subscribers.count,
            p99_s=doors.probes.load.p99_s,
        )
