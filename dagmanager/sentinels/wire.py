"""Sentinels as messages."""

from __future__ import annotations

from dagmanager.sentinels.domain import Sentinel
from qmtl.core.decimals import format_decimal, parse_decimal, to_decimal
from qmtl.dag.v1 import sentinel_pb2 as sentinelpb
from qmtl.wire.mapping import mapper

sentinel_to_proto = mapper(
    Sentinel,
    sentinelpb.Sentinel,
    traffic_weight=lambda sentinel: format_decimal(to_decimal(sentinel.traffic_weight)),
    sentinel_revision=lambda sentinel: sentinel.revision,
)
"""A sentinel with the etag that changes it."""


def weight_from_text(text: str) -> float:
    """A share of the traffic. Raises InvalidRequest (E_DECIMAL)."""
    return float(parse_decimal(text, "traffic_weight"))
