"""Sentinels as messages."""

from __future__ import annotations

from dagmanager.sentinels.domain import Sentinel
from qmtl.core.decimals import format_decimal, parse_decimal, to_decimal
from qmtl.dag.v1 import sentinel_pb2 as sentinelpb
from qmtl.wire.instants import instant_to_proto


def sentinel_to_proto(sentinel: Sentinel) -> sentinelpb.Sentinel:
    """A sentinel with the etag that changes it."""
    return sentinelpb.Sentinel(
        sentinel_id=sentinel.sentinel_id,
        strategy_id=sentinel.strategy_id,
        version=sentinel.version,
        commit_hash=sentinel.commit_hash,
        traffic_weight=format_decimal(to_decimal(sentinel.traffic_weight)),
        sentinel_revision=sentinel.revision,
        etag=sentinel.etag,
        created_at=instant_to_proto(sentinel.created_at),
    )


def weight_from_text(text: str) -> float:
    """A share of the traffic. Raises InvalidRequest (E_DECIMAL)."""
    return float(parse_decimal(text, "traffic_weight"))
