"""Closings as they are told."""

from __future__ import annotations

from qmtl.wire.instants import instant_to_proto
from qmtl.world.v1 import activation_pb2 as activationpb
from worldservice.closings.domain import Closing
from worldservice.worlds.wire import mode_to_proto, side_to_proto


def closing_to_proto(closing: Closing) -> activationpb.PositionClosing:
    """A closing, to be shown."""
    return activationpb.PositionClosing(
        strategy_id=closing.strategy_id,
        side=side_to_proto(closing.side),
        effective_mode=mode_to_proto(closing.mode),
        state=f"CLOSING_STATE_{closing.state.name}",
        begin_time=instant_to_proto(closing.began_at),
        until=instant_to_proto(closing.until),
        end_time=None if closing.ended_at is None else instant_to_proto(closing.ended_at),
        detail=closing.detail,
    )
