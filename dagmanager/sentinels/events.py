"""The sentinels of a strategy, published whole after each change."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from dagmanager.queues.events import Cause, draft
from dagmanager.sentinels import wire
from dagmanager.sentinels.domain import Sentinel
from dagmanager.tables import outbox
from qmtl.control.v1 import control_pb2 as controlpb


def publish_weights(conn: Connection, strategy_id: str, sentinels: Sequence[Sentinel], cause: Cause) -> None:
    """Publish all sentinels of a strategy as they are after a change."""
    payload = controlpb.SentinelWeightUpdated(
        strategy_id=strategy_id, sentinels=[wire.sentinel_to_proto(sentinel) for sentinel in sentinels]
    )
    outbox.append(conn, draft(strategy_id, payload, cause))
