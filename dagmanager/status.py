"""StatusService: how much the graph holds, and whether what it publishes gets through."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from controlbus.bus import Bus
from controlbus.outbox.relay import Relay
from controlbus.outbox.status import counted, service_status
from dagmanager.revisions import GRAPH, revision
from dagmanager.tables import nodes, outbox, plans, queues
from qmtl.core.clock import Clock
from qmtl.dag.v1 import status_service_pb2 as dagstatusservicepb
from qmtl.dag.v1 import status_service_pb2_grpc as dagstatusrpc
from qmtl.rpc.outages import Outages
from qmtl.sql.database import Database

SERVICE = "dagmanager"


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the graph holds, its revision, and how many events wait for the broker."""

    nodes: int
    queues: int
    plans: int
    graph_revision: int
    lost: int
    outbox_depth: int | None  # None: the store could not be asked


class StatusService(dagstatusrpc.StatusServiceServicer):
    """Reads the parts of the process that know."""

    def __init__(self, db: Database, bus: Bus, relay: Relay, clock: Clock, outages: Outages) -> None:
        self._outages = outages
        self._db = db
        self._bus = bus
        self._relay = relay
        self._clock = clock
        self._started_at = clock.now()

    async def GetStatus(
        self, request: dagstatusservicepb.GetStatusRequest, context: object
    ) -> dagstatusservicepb.GetStatusResponse:
        counts = await counted(self._db, self._outages, count)
        if counts is None:
            counts = Counts(0, 0, 0, 0, 0, None)
        return dagstatusservicepb.GetStatusResponse(
            status=service_status(
                SERVICE,
                self._started_at,
                self._bus,
                self._relay,
                outages=self._outages.current(),
                outbox_depth=counts.outbox_depth,
                clock=self._clock,
            ),
            nodes=counts.nodes,
            queues=counts.queues,
            plans=counts.plans,
            graph_revision=counts.graph_revision,
            queues_with_lost_records=counts.lost,
        )


def count(conn: Connection) -> Counts:
    """Rows of the three tables people ask about, and what waits."""
    held = [conn.execute(sa.select(sa.func.count()).select_from(each)).scalar_one() for each in (nodes, queues, plans)]
    lost = sa.select(sa.func.count()).select_from(queues).where(queues.c.lost_last_us.is_not(None))
    return Counts(
        held[0], held[1], held[2], revision(conn, GRAPH), conn.execute(lost).scalar_one(), outbox.backlog(conn).depth
    )
