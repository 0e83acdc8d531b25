"""Fences: messages to values and back."""

from __future__ import annotations

from collections.abc import Mapping

from brokerage.domain.risk.fence import Fence, FenceState
from brokerage.fields import text
from brokerage.instants import timestamp
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as servicepb
from qmtl.core.errors import refused
from qmtl.core.limits import UNLIMITED, RiskLimits
from qmtl.wire.contexts import MODE_NUMBERS, MODES
from qmtl.wire.fields import known_enum
from qmtl.wire.limits import limits_from_proto, limits_to_proto

FENCE_STATES: Mapping[int, FenceState] = {
    brokerpb.FenceState.Value(f"FENCE_STATE_{state.name}"): state for state in FenceState
}
LIMITED_STATES: Mapping[int, FenceState] = {
    brokerpb.FENCE_STATE_OPEN_LIMITED: FenceState.OPEN,
    brokerpb.FENCE_STATE_DRAIN_LIMITED: FenceState.DRAIN,
    brokerpb.FENCE_STATE_FROZEN: FenceState.FROZEN,
}


def fence_from_proto(message: servicepb.SetFenceRequest) -> Fence:
    """The fence a caller wants. Epochs begin at 1: 0 is the fence nobody set."""
    if message.epoch < 1:
        raise refused("E_FENCE_EPOCH", "epoch", str(message.epoch), "at least 1")
    limits = limits_from_proto(message.limits)
    return Fence(
        world_id=text(message.world_id, "world_id"),
        epoch=message.epoch,
        state=_fence_state(message.state, limits),
        effective_mode=known_enum(MODES, message.effective_mode, "effective_mode"),
        limits=limits,
    )


def fence_to_proto(fence: Fence, updated_ns: int) -> brokerpb.Fence:
    """The fence as it is told: its limits beside the plain state."""
    return brokerpb.Fence(
        world_id=fence.world_id,
        epoch=fence.epoch,
        state=f"FENCE_STATE_{fence.state.name}",
        effective_mode=MODE_NUMBERS[fence.effective_mode],
        updated_at=timestamp(updated_ns) if updated_ns else None,
        limits=limits_to_proto(fence.limits),
    )


def _fence_state(number: brokerpb.FenceState, limits: RiskLimits) -> FenceState:
    """The state asked for. With limits it has another word than without, and the two must agree."""
    words, other = (FENCE_STATES, LIMITED_STATES) if limits == UNLIMITED else (LIMITED_STATES, FENCE_STATES)
    if number in other and number not in words:
        want = "OPEN or DRAIN without limits, OPEN_LIMITED or DRAIN_LIMITED with them"
        raise refused("E_FENCE_LIMITS", "state", brokerpb.FenceState.Name(number).removeprefix("FENCE_STATE_"), want)
    return known_enum(words, number, "state")
