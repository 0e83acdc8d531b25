"""The RPC that tells the state of worldservice."""

from sqlalchemy import Connection

from controlbus.bus import Bus
from controlbus.outbox.relay import Relay
from controlbus.outbox.status import counted, dependency_status, service_status
from qmtl.core.clock import Clock
from qmtl.rpc.outages import Outages
from qmtl.sql.database import Database
from qmtl.world.v1 import status_service_pb2 as statusservicepb
from qmtl.world.v1 import status_service_pb2_grpc as statusrpc
from worldservice.activation.store import activations
from worldservice.activation.store import gates as gates_store
from worldservice.tables import outbox
from worldservice.timing import GATE_MARGIN, GATE_TTL
from worldservice.worlds.store import worlds as worlds_store


class StatusServicer(statusrpc.StatusServiceServicer):
    """Degraded while the bus is away, the outbox is behind, or brokerage has not confirmed a fence."""

    def __init__(self, db: Database, clock: Clock, bus: Bus, relay: Relay, outages: Outages) -> None:
        self._outages = outages
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

        found = await counted(self._db, self._outages, work)
        depth, worlds, gates, pending = found or (None, 0, 0, [])
        told = dependency_status(
            "brokerage", reachable=not pending, detail=f"has not confirmed the fence of {', '.join(pending)}"
        )
        status = service_status(
            "worldservice",
            self._started_at,
            self._bus,
            self._relay,
            outages=self._outages.current(),
            outbox_depth=depth,
            dependencies=[told] if pending else (),
            clock=self._clock,
        )
        return statusservicepb.GetStatusResponse(
            status=status, worlds=worlds, gate_sessions=gates, fences_pending=pending
        )
