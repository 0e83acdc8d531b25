"""How this gateway sees the mesh: dependencies, level, gates of the caller's worlds, and what still works."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib.metadata import version

from google.protobuf.duration_pb2 import Duration

from controlbus.outbox.status import clock_status, counted
from gateway.admission.probes import Probes
from gateway.events.subscribers import Subscribers
from gateway.orders.activations import HeldActivations
from gateway.submissions.store import room
from gateway.submissions.tables import OUTBOX
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.roles import Role
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.gateway.v1 import gateway_status_service_pb2_grpc as gatewaystatusrpc
from qmtl.rpc.auth.call import require_user
from qmtl.sql.database import Database

_ALL = (
    gatewaystatuspb.CAPABILITY_SUBMISSIONS,
    gatewaystatuspb.CAPABILITY_READS,
    gatewaystatuspb.CAPABILITY_ORDERS,
    gatewaystatuspb.CAPABILITY_CANCELS,
    gatewaystatuspb.CAPABILITY_EVENTS,
    gatewaystatuspb.CAPABILITY_STATUS,
)
CAPABILITIES: Mapping[int, tuple[gatewaystatuspb.Capability, ...]] = {
    gatewaystatuspb.DEGRADATION_LEVEL_NORMAL: _ALL,
    gatewaystatuspb.DEGRADATION_LEVEL_PARTIAL: _ALL,
    gatewaystatuspb.DEGRADATION_LEVEL_MINIMAL: (
        gatewaystatuspb.CAPABILITY_CACHED_READS,
        gatewaystatuspb.CAPABILITY_CANCELS,
        gatewaystatuspb.CAPABILITY_STATUS,
    ),
    gatewaystatuspb.DEGRADATION_LEVEL_STATIC: (gatewaystatuspb.CAPABILITY_STATUS,),
}
VERSION = version("qmtl")


class GatewayStatusServicer(gatewaystatusrpc.GatewayStatusServiceServicer):
    """See gateway_status_service.proto."""

    def __init__(
        self,
        db: Database,
        probes: Probes,
        activations: HeldActivations,
        subscribers: Subscribers,
        started_at: datetime,
    ) -> None:
        self._db = db
        self._probes = probes
        self._activations = activations
        self._subscribers = subscribers
        self._started_at = started_at

    async def GetStatus(
        self, request: gatewaystatuspb.GetStatusRequest, context: object
    ) -> gatewaystatuspb.GetStatusResponse:
        outages = self._probes.outages
        found = await counted(self._db, outages, lambda conn: (room.queued(conn), OUTBOX.backlog(conn).depth))
        queued, depth = found or (0, 0)
        level = self._probes.level()
        if found is None:  # before the check of the store has run out of patience
            level = max(level, gatewaystatuspb.DEGRADATION_LEVEL_PARTIAL)
        status = commonpb.ServiceStatus(
            service="gateway",
            version=VERSION,
            dependencies=[
                *self._probes.dependencies(store_answers=found is not None),
                *clock_status(self._probes.clock),
            ],
            outbox_depth=depth,
            uncounted=found is None,
            degraded=level != gatewaystatuspb.DEGRADATION_LEVEL_NORMAL,
        )
        status.started_at.FromDatetime(self._started_at)
        return gatewaystatuspb.GetStatusResponse(
            status=status,
            level=level,
            gates=[gate for gate in self._activations.status() if _may_read(gate.world_id)],
            capabilities=CAPABILITIES[level],
            submissions_queued=queued,
            event_subscribers=self._subscribers.count,
            p99=_span(self._probes.load.p99_s),
        )


def _may_read(world_id: str) -> bool:
    """Whether the caller's token itself reads a world: a status asks nobody about grants."""
    user = require_user()
    return user.role >= Role.READER and (user.worlds is None or world_id in user.worlds)


def _span(seconds: float) -> Duration | None:
    if not seconds:
        return None
    span = Duration()
    span.FromTimedelta(timedelta(seconds=seconds))
    return span
