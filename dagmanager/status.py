"""StatusService: how much the graph holds, and whether what it publishes gets through."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from controlbus.outbox.status import StatusSources
from dagmanager.revisions import GRAPH, revision
from dagmanager.tables import nodes, outbox, plans, queues
from qmtl.dag.v1 import status_service_pb2 as dagstatusservicepb
from qmtl.dag.v1 import status_service_pb2_grpc as dagstatusrpc
from qmtl.sql.database import Database


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

    def __init__(self, db: Database, sources: StatusSources) -> None:
        self._db = db
        self._sources = sources

    async def GetStatus(
        self, request: dagstatusservicepb.GetStatusRequest, context: object
    ) -> dagstatusservicepb.GetStatusResponse:
        counts = await self._sources.counted(self._db, count)
        if counts is None:
            counts = Counts(0, 0, 0, 0, 0, None)
        return dagstatusservicepb.GetStatusResponse(
            status=self._sources.status(counts.outbox_depth),
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
