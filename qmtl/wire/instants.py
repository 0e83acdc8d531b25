"""Timestamps and Durations to datetime and timedelta and back; out of range or too fine is refused."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf import timestamp_pb2

from qmtl.core.errors import refused


def instant_from_proto(message: timestamp_pb2.Timestamp, field: str) -> datetime:
    """A UTC instant. Raises InvalidRequest (E_TIMESTAMP) outside datetime's range or below a microsecond."""
    if message.nanos % 1000:
        raise refused("E_TIMESTAMP", field, f"{message.nanos} ns", "whole microseconds")
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise refused("E_TIMESTAMP", field, f"{message.seconds} s", "an instant of the years 1 to 9999") from None


def instant_to_proto(instant: datetime) -> timestamp_pb2.Timestamp:
    """A Timestamp of a UTC instant."""
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(instant)
    return message
