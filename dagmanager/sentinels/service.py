"""SentinelService: version boundaries of a strategy, and the operator's changes of their shares of the traffic."""

from __future__ import annotations

from dagmanager.access import reader_worlds
from dagmanager.queues.events import cause_of_call
from dagmanager.sentinels import reads, store
from dagmanager.sentinels.weights import set_weight
from dagmanager.sentinels.wire import sentinel_to_proto, weight_from_text
from qmtl.core.clock import Clock
from qmtl.core.roles import Role
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb
from qmtl.dag.v1 import sentinel_service_pb2_grpc as sentinelrpc
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.sql.database import Database


class SentinelService(sentinelrpc.SentinelServiceServicer):
    """Reads and changes sentinels in one store."""

    def __init__(self, db: Database, clock: Clock, roles: WorldRoles) -> None:
        self._db = db
        self._clock = clock
        self._roles = roles

    async def ListSentinels(
        self, request: sentinelservicepb.ListSentinelsRequest, context: object
    ) -> sentinelservicepb.ListSentinelsResponse:
        worlds = reader_worlds()
        return await self._db.read(lambda conn: reads.list_sentinels(conn, request, worlds))

    async def SetTrafficWeight(
        self, request: sentinelservicepb.SetTrafficWeightRequest, context: object
    ) -> sentinelservicepb.SetTrafficWeightResponse:
        target, etag = request.sentinel_id, request.etag
        worlds = await self._db.read(lambda conn: store.worlds_of_sentinel(conn, target))
        await self._roles.require_each(worlds, Role.OPERATOR)
        weight = weight_from_text(request.traffic_weight)
        cause = cause_of_call(self._clock)
        after = await self._db.write(lambda conn: set_weight(conn, target, weight, etag, cause))
        return sentinelservicepb.SetTrafficWeightResponse(sentinel=sentinel_to_proto(after))
