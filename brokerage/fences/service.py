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
from qmtl.wire.paging import parts_of

WIRE_BYTES_MAX, HELD_BYTES_MAX = 64 * 1024, 256 * 1024
"""A fence is confirmed by its reply, so no number of orders may make one too large to be sent."""


class FenceService(fencerpc.FenceServiceServicer):
    """Sets and tells fences."""

    def __init__(self, db: Database, clock: Clock, held_bytes_max: int = HELD_BYTES_MAX) -> None:
        self._db = db
        self._clock = clock
        self._held_bytes_max = held_bytes_max

    async def SetFence(
        self, request: fenceservicepb.SetFenceRequest, context: object
    ) -> fenceservicepb.SetFenceResponse:
        wanted, actor, now_ns = fence_from_proto(request), calling_actor(), to_ns(self._clock.now())
        fence, updated_ns, wire = await self._db.write(lambda conn: change.set_fence(conn, wanted, actor, now_ns))
        held, total = await self._held(fence.world_id) if fence.state is FenceState.FROZEN else ([], 0)
        return fenceservicepb.SetFenceResponse(
            fence=fence_to_proto(fence, updated_ns),
            on_the_wire=next(parts_of(intents_to_proto(wire), WIRE_BYTES_MAX))[0],
            held=held,
            on_the_wire_total=len(wire),
            held_total=total,
        )

    async def GetFence(
        self, request: fenceservicepb.GetFenceRequest, context: object
    ) -> fenceservicepb.GetFenceResponse:
        world_id = require_text(request.world_id, "world_id", 128)
        fence, updated_ns = await self._db.read(lambda conn: change.current(conn, world_id))
        held, total = await self._held(world_id)
        return fenceservicepb.GetFenceResponse(fence=fence_to_proto(fence, updated_ns), held=held, held_total=total)

    async def _held(self, world_id: str) -> tuple[list[orderpb.OrderKey], int]:
        """The first of those held, as many as a reply takes, and how many there are."""
        held = await self._db.read(lambda conn: store.held_orders(conn, world_id))
        return next(parts_of(names_to_proto(held), self._held_bytes_max))[0], len(held)
