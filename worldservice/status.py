"""The RPC that tells the state of worldservice."""

from importlib.metadata import version

from sqlalchemy import Connection

from controlbus.bus import Bus
from controlbus.outbox.relay import Relay
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import Clock
from qmtl.sql.database import Database
from qmtl.world.v1 import status_service_pb2 as statusservicepb
from qmtl.world.v1 import status_service_pb2_grpc as statusrpc
from worldservice.activation.store import activations
from worldservice.activation.store import gates as gates_store
from worldservice.tables import outbox
from worldservice.timing import GATE_MARGIN, GATE_TTL
from worldservice.worlds.fields import instant_to_proto
from worldservice.worlds.store import worlds as worlds_store


class StatusServicer(statusrpc.StatusServiceServicer):
    """Degraded while the bus is away, the outbox is behind, or brokerage has not confirmed a fence."""

    def __init__(self, db: Database, clock: Clock, bus: Bus, relay: Relay) -> None:
        self._db = db
        self._clock = clock
        self._bus = bus
        self._relay = relay
        self._started_at = clock.now()

    async def GetStatus(
        self, request: statusservicepb.GetStatusRequest, context: object
    ) -> statusservicepb.GetStatusResponse:
        since = self._clock.now() - GATE_TTL - GATE_MARGIN

        def work(conn: Connection) -> tuple[int, int, int, list[str]]:
            depth = outbox.backlog(conn).depth
            return (
                depth,
                worlds_store.count_worlds(conn),
                gates_store.count_gates(conn, since),
                activations.pending_fences(conn),
            )

        depth, worlds, gates, pending = await self._db.read(work)
        nats = self._bus.status()
        state = commonpb.DEPENDENCY_STATE_REACHABLE if nats.connected else commonpb.DEPENDENCY_STATE_UNREACHABLE
        bus = commonpb.DependencyStatus(name="nats", state=state, detail="" if nats.connected else nats.detail)
        status = commonpb.ServiceStatus(
            service="worldservice",
            version=version("qmtl"),
            started_at=instant_to_proto(self._started_at),
            dependencies=[bus],
            outbox_depth=depth,
            degraded=not nats.connected or self._relay.status().degraded or bool(pending),
        )
        return statusservicepb.GetStatusResponse(
            status=status, worlds=worlds, gate_sessions=gates, fences_pending=pending
        )
