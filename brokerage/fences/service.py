"""FenceService: fences of worlds, set by worldservice."""

from __future__ import annotations

from brokerage.audit import calling_actor
from brokerage.domain.risk.fence import FenceState
from brokerage.fences import change, store
from brokerage.fences.wire import fence_from_proto, fence_to_proto, intents_to_proto, names_to_proto
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import fence_service_pb2_grpc as fencerpc
from qmtl.broker.v1 import order_pb2 as orderpb
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
        held = await self._held(fence.world_id) if fence.state is FenceState.FROZEN else []
        return fenceservicepb.SetFenceResponse(
            fence=fence_to_proto(fence, updated_ns), on_the_wire=intents_to_proto(wire), held=held
        )

    async def GetFence(
        self, request: fenceservicepb.GetFenceRequest, context: object
    ) -> fenceservicepb.GetFenceResponse:
        world_id = require_text(request.world_id, "world_id", 128)
        fence, updated_ns = await self._db.read(lambda conn: change.current(conn, world_id))
        held = await self._held(world_id)
        return fenceservicepb.GetFenceResponse(fence=fence_to_proto(fence, updated_ns), held=held)

    async def _held(self, world_id: str) -> list[orderpb.OrderKey]:
        return names_to_proto(await self._db.read(lambda conn: store.held_orders(conn, world_id)))
