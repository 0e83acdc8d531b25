"""Instants as datetime, integers and text, converted exactly: no rounding, no local time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from qmtl.core.errors import refused

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NS_PER_S: Final = 1_000_000_000
OLDEST_S: Final = -62_135_596_800  # year 1
NEWEST_S: Final = 253_402_300_799  # year 9999
YEARS: Final = 1678, 2261  # the first and the last that int64 nanoseconds hold whole
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


def from_parts(seconds: int, nanos: int, field: str) -> datetime:
    """The UTC instant of a Timestamp's two numbers.

    Raises InvalidRequest (E_TIMESTAMP) outside the years 1 to 9999, or finer than a microsecond: nothing is rounded.
    """
    if not (OLDEST_S <= seconds <= NEWEST_S and 0 <= nanos < NS_PER_S):
        shown = f"{seconds} s {nanos} ns"
        raise refused("E_TIMESTAMP", field, shown, "an instant of the years 1 to 9999, nanos of 0 to 999999999")
    if nanos % 1000:
        raise refused("E_TIMESTAMP", field, f"{nanos} ns", "whole microseconds")
    return EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)


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
