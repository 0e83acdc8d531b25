"""Instants as the submissions database keeps them: whole nanoseconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ns(instant: datetime) -> int:
    """Nanoseconds since the epoch, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1000


def from_ns(value: int) -> datetime:
    """The inverse of to_ns."""
    return _EPOCH + timedelta(microseconds=value // 1000)
