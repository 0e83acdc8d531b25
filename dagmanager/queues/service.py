"""QueueCatalogueService and QueueProgressService: queues as readers ask for them and as their writers fill them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from sqlalchemy import Connection

from controlbus.bus import Bus
from dagmanager.access import reader_worlds
from dagmanager.queues import reads, recompute, stats, tag_queries
from dagmanager.queues.domain.queues import TagQuery
from dagmanager.queues.events import cause_of_call
from dagmanager.queues.watches import QueueWatches
from dagmanager.queues.wire import check_key_count, tag_query_from_proto
from dagmanager.queues.world_sets import world_set_revision
from qmtl.core.clock import Clock
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.dag.v1 import queue_catalogue_service_pb2_grpc as queuecataloguerpc
from qmtl.dag.v1 import queue_pb2 as queuepb
from qmtl.dag.v1 import queue_progress_service_pb2 as queueprogressservicepb
from qmtl.dag.v1 import queue_progress_service_pb2_grpc as queueprogressrpc
from qmtl.rpc.auth.call import require_world
from qmtl.sql.database import Database
from qmtl.wire.instants import instant_from_proto
from qmtl.wire.paging import page_from_proto, page_of


class QueueCatalogueService(queuecataloguerpc.QueueCatalogueServiceServicer):
    """Reads queues from one store, and their sizes from one broker."""

    def __init__(self, db: Database, bus: Bus, clock: Clock, watches: QueueWatches) -> None:
        self._db = db
        self._bus = bus
        self._clock = clock
        self._watches = watches

    async def GetQueue(
        self, request: queuecatalogueservicepb.GetQueueRequest, context: object
    ) -> queuecatalogueservicepb.GetQueueResponse:
        worlds = reader_worlds()
        queue = await self._db.read(lambda conn: reads.get_queue(conn, request.compute_key, worlds))
        return queuecatalogueservicepb.GetQueueResponse(queue=queue)

    async def ListQueues(
        self, request: queuecatalogueservicepb.ListQueuesRequest, context: object
    ) -> queuecatalogueservicepb.ListQueuesResponse:
        worlds = reader_worlds()
        if request.world_id:
            require_world(request.world_id)

        def read(conn: Connection) -> queuecatalogueservicepb.ListQueuesResponse:
            reply = reads.page_of_queues(conn, request, worlds)
            if request.world_id:
                reply.world_queues_revision = world_set_revision(conn, request.world_id)
            return reply

        return await self._db.read(read)

    async def QueryQueues(
        self, request: queuecatalogueservicepb.QueryQueuesRequest, context: object
    ) -> queuecatalogueservicepb.QueryQueuesResponse:
        query = readable_query(request.query)
        page = page_from_proto(request, (str,))

        def read(conn: Connection) -> queuecatalogueservicepb.QueryQueuesResponse:
            found = reads.matching_queues(conn, query, page.size + 1, page.after[0] if page.after is not None else "")
            shown, info = page_of(found, page, lambda queue: (queue.compute_key,), lambda queue: queue)
            revision = tag_queries.set_revision(conn, query)
            return queuecatalogueservicepb.QueryQueuesResponse(queues=shown, queue_set_revision=revision, page=info)

        return await self._db.read(read)

    async def WatchQueues(
        self, request: queuecatalogueservicepb.WatchQueuesRequest, context: object
    ) -> AsyncIterator[queuecatalogueservicepb.WatchQueuesResponse]:
        query = readable_query(request.query)
        async with aclosing(self._watches.sets(query, cause_of_call(self._clock))) as sets:
            async for each in sets:
                yield each

    async def GetQueueStats(
        self, request: queuecatalogueservicepb.GetQueueStatsRequest, context: object
    ) -> queuecatalogueservicepb.GetQueueStatsResponse:
        worlds = reader_worlds()
        keys = list(request.compute_keys)
        check_key_count(keys, stats.KEYS_MAX)
        queues = await self._db.read(lambda conn: stats.written(conn, keys, worlds))
        measured = await stats.measure(self._bus, queues, self._clock.now())
        return queuecatalogueservicepb.GetQueueStatsResponse(stats=measured)


class QueueProgressService(queueprogressrpc.QueueProgressServiceServicer):
    """Counts what was written to queues."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def ReportQueueProgress(
        self, request: queueprogressservicepb.ReportQueueProgressRequest, context: object
    ) -> queueprogressservicepb.ReportQueueProgressResponse:
        first = instant_from_proto(request.first_bucket, "first_bucket")
        last = instant_from_proto(request.last_bucket, "last_bucket")
        cause = cause_of_call(self._clock)
        await self._db.write(
            lambda conn: recompute.report_progress(conn, request.compute_key, first, last, request.rows, cause)
        )
        return queueprogressservicepb.ReportQueueProgressResponse()


def readable_query(message: queuepb.TagQuery) -> TagQuery:
    """The query of a reader; a token for some worlds must name one of them."""
    query = tag_query_from_proto(message)
    if reader_worlds() is not None:
        require_world(query.world_id)
    return query
