"""Instants as datetime, integers and text, converted exactly: no rounding, no local time."""

from __future__ import annotations

from datetime import UTC, datetime

from qmtl.core.errors import InvalidRequest


def timestamp_text(instant: datetime | None) -> str:
    """The proto-JSON form of a Timestamp: UTC, "Z", with 0, 3 or 6 fractional digits; "" for None."""
    if instant is None:
        return ""
    if instant.tzinfo is None:
        raise InvalidRequest("E_TIMESTAMP", f"instant is {instant.isoformat()}, want a UTC-aware datetime")
    utc = instant.astimezone(UTC)
    micros = utc.microsecond
    fraction = "" if not micros else f".{micros // 1000:03d}" if micros % 1000 == 0 else f".{micros:06d}"
    return f"{utc.year:04d}-{utc.month:02d}-{utc.day:02d}T{utc.hour:02d}:{utc.minute:02d}:{utc.second:02d}{fraction}Z"


def to_datetime(time_ns: int) -> datetime:
    """The UTC datetime of ns since 1970, cut to microseconds."""
    return datetime.fromtimestamp(time_ns // NS_PER_S, UTC).replace(microsecond=time_ns % NS_PER_S // 1000)


NS_PER_S = 1_000_000_000
