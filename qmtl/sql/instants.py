"""Instants as columns: integer microseconds since the epoch, converted exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """The column of an instant."""
    return (at - _EPOCH) // _MICROSECOND


def instant(us: int) -> datetime:
    """The UTC instant of a column."""
    return _EPOCH + timedelta(microseconds=us)


def micros_or_none(at: datetime | None) -> int | None:
    """The column of an instant that may be absent."""
    return None if at is None else micros(at)


def instant_or_none(us: int | None) -> datetime | None:
    """The UTC instant of a column that may be NULL."""
    return None if us is None else instant(us)
