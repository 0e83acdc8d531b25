"""FenceService: fences of worlds, set by worldservice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from brokerage.audit import calling_actor
from brokerage.domain.risk.fence import FenceState
from brokerage.fences import change, store
from brokerage.fences.unprotected import unprotected
from brokerage.fences.wire import (
    fence_from_proto,
    fence_to_proto,
    intents_to_proto,
    names_to_proto,
    positions_to_proto,
)
from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import fence_service_pb2_grpc as fencerpc
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.clock import Clock
from qmtl.core.instants import to_ns
from qmtl.sql.database import Database
from qmtl.wire.fields import require_text
from qmtl.wire.paging import parts_of

Row = TypeVar("Row")

WIRE_BYTES_MAX, HELD_BYTES_MAX = 64 * 1024, 256 * 1024
"""A fence is confirmed by its reply, so no number of orders may make one too large to be sent."""


@dataclass(frozen=True)
class Part(Generic[Row]):
    """The first of some rows, as many as a reply takes, and how many there are."""

    first: list[Row]
    total: int


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
        held, bare = Part[orderpb.OrderKey]([], 0), Part[fencepb.UnprotectedPosition]([], 0)
        if fence.state is FenceState.FROZEN:
            held, bare = await self._held(fence.world_id)
        return fenceservicepb.SetFenceResponse(
            fence=fence_to_proto(fence, updated_ns),
            on_the_wire=next(parts_of(intents_to_proto(wire), WIRE_BYTES_MAX))[0],
            held=held.first,
            on_the_wire_total=len(wire),
            held_total=held.total,
            unprotected=bare.first,
            unprotected_total=bare.total,
        )

    async def GetFence(
        self, request: fenceservicepb.GetFenceRequest, context: object
    ) -> fenceservicepb.GetFenceResponse:
        world_id = require_text(request.world_id, "world_id", 128)
        fence, updated_ns = await self._db.read(lambda conn: change.current(conn, world_id))
        held, bare = await self._held(world_id)
        return fenceservicepb.GetFenceResponse(
            fence=fence_to_proto(fence, updated_ns),
            held=held.first,
            held_total=held.total,
            unprotected=bare.first,
            unprotected_total=bare.total,
        )

    async def _held(self, world_id: str) -> tuple[Part[orderpb.OrderKey], Part[fencepb.UnprotectedPosition]]:
        """What a freeze holds, and what has lost its exits, of one moment."""
        held, bare = await self._db.read(lambda conn: (store.held_orders(conn, world_id), unprotected(conn, world_id)))
        names, positions = parts_of(names_to_proto(held), self._held_bytes_max), positions_to_proto(bare)
        return Part(next(names)[0], len(held)), Part(next(parts_of(positions, WIRE_BYTES_MAX))[0], len(bare))
