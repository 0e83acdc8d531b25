"""Instants as nanoseconds since the epoch, and their messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf import timestamp_pb2

from brokerage.domain.market.mark import SECOND_NS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ns_of(message: timestamp_pb2.Timestamp) -> int:
    """Nanoseconds since the epoch."""
    return message.seconds * SECOND_NS + message.nanos


def instant_ns(instant: datetime) -> int:
    """Nanoseconds since the epoch of a UTC-aware instant, exactly."""
    return (instant - EPOCH) // timedelta(microseconds=1) * 1_000


def timestamp(ns: int) -> timestamp_pb2.Timestamp:
    """The inverse of ns_of."""
    return timestamp_pb2.Timestamp(seconds=ns // SECOND_NS, nanos=ns % SECOND_NS)
