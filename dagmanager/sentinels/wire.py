"""Sentinels as messages."""

from __future__ import annotations

from dagmanager.sentinels.domain import Sentinel
from qmtl.dag.v1 import sentinel_pb2 as sentinelpb
from qmtl.wire.instants import instant_to_proto


def sentinel_to_proto(sentinel: Sentinel) -> sentinelpb.Sentinel:
    """A sentinel with the etag that changes it."""
    return sentinelpb.Sentinel(
        sentinel_id=sentinel.sentinel_id,
        strategy_id=sentinel.strategy_id,
        version=sentinel.version,
        commit_hash=sentinel.commit_hash,
        traffic_weight=sentinel.traffic_weight,
        revision=sentinel.revision,
        etag=sentinel.etag,
        created_at=instant_to_proto(sentinel.created_at),
    )
