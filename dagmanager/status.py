"""GetStatus: how much the graph holds, and whether what it publishes gets through."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import sqlalchemy as sa
from sqlalchemy import Connection

from controlbus.bus import Bus
from controlbus.outbox.outbox import Backlog
from controlbus.outbox.relay import Relay
from dagmanager.revisions import GRAPH, revision
from dagmanager.tables import nodes, outbox
from dagmanager.tables import plans as plan_rows
from dagmanager.tables import queues as queue_rows
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import Clock
from qmtl.dag.v1 import service_pb2 as servicepb
from qmtl.sql.database import Database
from qmtl.wire.instants import instant_to_proto


class StatusReport:
    """Reads the parts of the process that know."""

    def __init__(self, db: Database, bus: Bus, relay: Relay, clock: Clock) -> None:
        self._db = db
        self._bus = bus
        self._relay = relay
        self._started_at = clock.now()

    async def report(self) -> servicepb.GetStatusResponse:
        """The status now."""
        counts, at, backlog = await self._db.read(_read)
        nats = self._bus.status()
        state = commonpb.DEPENDENCY_STATE_REACHABLE if nats.connected else commonpb.DEPENDENCY_STATE_UNREACHABLE
        return servicepb.GetStatusResponse(
            status=commonpb.ServiceStatus(
                service="dagmanager",
                version=version("qmtl"),
                started_at=instant_to_proto(self._started_at),
                dependencies=[
                    commonpb.DependencyStatus(name="nats", state=state, detail="" if nats.connected else nats.detail)
                ],
                outbox_depth=backlog.depth,
                degraded=not nats.connected or self._relay.status().degraded,
            ),
            nodes=counts.nodes,
            queues=counts.queues,
            plans=counts.plans,
            graph_revision=at,
        )


def _read(conn: Connection) -> tuple[Counts, int, Backlog]:
    return count(conn), revision(conn, GRAPH), outbox.backlog(conn)


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the graph holds."""

    nodes: int
    queues: int
    plans: int


def count(conn: Connection) -> Counts:
    """Rows of the three tables people ask about."""
    sizes = [
        conn.execute(sa.select(sa.func.count()).select_from(t)).scalar_one() for t in (nodes, queue_rows, plan_rows)
    ]
    return Counts(*sizes)
