"""Fences: messages to values and back."""

from __future__ import annotations

from collections.abc import Iterable

from brokerage.domain.orders.order import OrderName, Side
from brokerage.domain.risk.fence import Fence, FenceState, WireIntent
from brokerage.fences.unprotected import UnprotectedPosition
from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import refused
from qmtl.wire.contexts import MODE_NUMBERS, MODES
from qmtl.wire.fields import INT64_MAX, known_enum, require_text
from qmtl.wire.instants import ns_to_proto
from qmtl.wire.limits import limits_from_proto, limits_to_proto

FENCE_STATES = {fencepb.FenceState.Value(f"FENCE_STATE_{state.name}"): state for state in FenceState}

ADDING = {commonpb.SIDE_LONG: Side.BUY, commonpb.SIDE_SHORT: Side.SELL}
"""The side of the orders that add to a position on a side."""
_ADDED_TO = {side: number for number, side in ADDING.items()}


def fence_from_proto(message: fenceservicepb.SetFenceRequest) -> Fence:
    """The fence a caller wants. Epochs begin at 1: 0 is the fence nobody set."""
    if not 1 <= message.fence_epoch <= INT64_MAX:
        raise refused("E_FENCE_EPOCH", "fence_epoch", message.fence_epoch, f"1 to {INT64_MAX}")
    return Fence(
        world_id=require_text(message.world_id, "world_id", 128),
        epoch=message.fence_epoch,
        state=known_enum(FENCE_STATES, message.state, "state"),
        effective_mode=known_enum(MODES, message.effective_mode, "effective_mode"),
        limits=limits_from_proto(message.limits),
        standings=frozenset(
            (
                require_text(standing.strategy_id, f"standings[{number}].strategy_id", 128),
                known_enum(ADDING, standing.side, f"standings[{number}].side"),
            )
            for number, standing in enumerate(message.standings)
        ),
    )


def fence_to_proto(fence: Fence, updated_ns: int) -> fencepb.Fence:
    """A fence and when it was set."""
    return fencepb.Fence(
        world_id=fence.world_id,
        fence_epoch=fence.epoch,
        state=f"FENCE_STATE_{fence.state.name}",
        effective_mode=MODE_NUMBERS[fence.effective_mode],
        updated_at=ns_to_proto(updated_ns) if updated_ns else None,
        limits=limits_to_proto(fence.limits),
        standings=[
            fencepb.Standing(strategy_id=who, side=_ADDED_TO[side])
            for who, side in sorted(fence.standings, key=lambda standing: (standing[0], standing[1].value))
        ],
    )


def intents_to_proto(intents: Iterable[WireIntent]) -> list[fencepb.WireIntent]:
    """Send-intents whose outcome is not known."""
    return [
        fencepb.WireIntent(
            account=intent.account,
            strategy_id=intent.strategy_id,
            client_order_id=intent.client_order_id,
            venue_order_id=intent.venue_order_id,
            fence_epoch=intent.epoch,
            sent_at=ns_to_proto(intent.sent_ns),
        )
        for intent in intents
    ]


def positions_to_proto(positions: Iterable[UnprotectedPosition]) -> list[fencepb.UnprotectedPosition]:
    """Positions without the exits they had."""
    return [
        fencepb.UnprotectedPosition(
            account=one.owner.account,
            strategy_id=one.owner.strategy_id,
            symbol=one.symbol,
            client_order_id=one.client_order_id,
        )
        for one in positions
    ]


def names_to_proto(names: Iterable[OrderName]) -> list[orderpb.OrderKey]:
    """The orders that names name."""
    return [
        orderpb.OrderKey(
            account=name.owner.account,
            world_id=name.owner.world_id,
            strategy_id=name.owner.strategy_id,
            client_order_id=name.client_order_id,
        )
        for name in names
    ]
