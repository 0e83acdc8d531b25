"""Instants as datetime, integers and text, converted exactly: no rounding, no local time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from qmtl.core.errors import refused

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NS_PER_S: Final = 1_000_000_000
_MICROSECOND: Final = timedelta(microseconds=1)


def to_us(instant: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return (_aware(instant) - EPOCH) // _MICROSECOND


def from_us(us: int) -> datetime:
    """The UTC instant of microseconds since the epoch."""
    return EPOCH + timedelta(microseconds=us)


def to_ns(instant: datetime) -> int:
    """Nanoseconds since the epoch, exactly."""
    return to_us(instant) * 1000


def from_ns(ns: int) -> datetime:
    """The UTC instant of nanoseconds since the epoch, cut to microseconds."""
    return from_us(ns // 1000)


def timestamp_text(instant: datetime | None) -> str:
    """The proto-JSON form of a Timestamp: UTC, "Z", with 0, 3 or 6 fractional digits; "" for None."""
    if instant is None:
        return ""
    utc = _aware(instant).astimezone(UTC)
    micros = utc.microsecond
    fraction = "" if not micros else f".{micros // 1000:03d}" if micros % 1000 == 0 else f".{micros:06d}"
    return f"{utc.year:04d}-{utc.month:02d}-{utc.day:02d}T{utc.hour:02d}:{utc.minute:02d}:{utc.second:02d}{fraction}Z"


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise refused("E_TIMESTAMP", "instant", instant.isoformat(), "a UTC-aware datetime")
    return instant
