"""FenceService: fences of worlds, set by worldservice."""

from __future__ import annotations

from brokerage.audit import calling_actor
from brokerage.fences import change
from brokerage.fences.wire import fence_from_proto, fence_to_proto, intents_to_proto
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import fence_service_pb2_grpc as fencerpc
from qmtl.core.clock import Clock
from qmtl.core.instants import to_ns
from qmtl.sql.database import Database
from qmtl.wire.fields import require_text


class FenceService(fencerpc.FenceServiceServicer):
    """Sets and tells fences."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def SetFence(
        self, request: fenceservicepb.SetFenceRequest, context: object
    ) -> fenceservicepb.SetFenceResponse:
        wanted, actor, now_ns = fence_from_proto(request), calling_actor(), to_ns(self._clock.now())
        fence, updated_ns, wire = await self._db.write(lambda conn: change.set_fence(conn, wanted, actor, now_ns))
        return fenceservicepb.SetFenceResponse(
            fence=fence_to_proto(fence, updated_ns), on_the_wire=intents_to_proto(wire)
        )

    async def GetFence(
        self, request: fenceservicepb.GetFenceRequest, context: object
    ) -> fenceservicepb.GetFenceResponse:
        world_id = require_text(request.world_id, "world_id", 128)
        fence, updated_ns = await self._db.read(lambda conn: change.current(conn, world_id))
        return fenceservicepb.GetFenceResponse(fence=fence_to_proto(fence, updated_ns))
