"""The RPC that tells the state of worldservice."""

from sqlalchemy import Connection

from controlbus.outbox.status import StatusSources, dependency_status
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

    def __init__(self, db: Database, sources: StatusSources) -> None:
        self._db = db
        self._sources = sources

    async def GetStatus(
        self, request: statusservicepb.GetStatusRequest, context: object
    ) -> statusservicepb.GetStatusResponse:
        since = self._sources.clock.now() - GATE_TTL - GATE_MARGIN

        def work(conn: Connection) -> tuple[int, int, int, list[str]]:
            depth = outbox.backlog(conn).depth
            return (
                depth,
                worlds_store.count_worlds(conn),
                gates_store.count_gates(conn, since),
                activations.pending_fences(conn),
            )

        found = await self._sources.counted(self._db, work)
        depth, worlds, gates, pending = found or (None, 0, 0, [])
        told = dependency_status(
            "brokerage", reachable=not pending, detail=f"has not confirmed the fence of {', '.join(pending)}"
        )
        status = self._sources.status(depth, [told] if pending else ())
        return statusservicepb.GetStatusResponse(
            status=status, worlds=worlds, gate_sessions=gates, fences_pending=pending
        )
