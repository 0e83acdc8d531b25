"""Timestamps and Durations to instants and spans of time and back; what is out of range or too fine is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import overload

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.core.errors import refused
from qmtl.core.instants import NS_PER_S, from_parts

NS_SECONDS_MAX = 2**63 // NS_PER_S - 1  # whole seconds on either side of the epoch that int64 nanoseconds hold
SPAN_S_MAX = 315_576_000_000  # 10,000 years, protobuf's own bound


def instant_from_proto(message: Timestamp, field: str) -> datetime:
    """A UTC instant. Raises InvalidRequest (E_TIMESTAMP) outside the years 1 to 9999 or finer than a microsecond."""
    return from_parts(message.seconds, message.nanos, field)


@overload
def instant_to_proto(instant: datetime) -> Timestamp: ...
@overload
def instant_to_proto(instant: datetime | None) -> Timestamp | None: ...
def instant_to_proto(instant: datetime | None) -> Timestamp | None:
    """The Timestamp of a UTC-aware instant; None stays None, which leaves the field of a message absent."""
    if instant is None:
        return None
    message = Timestamp()
    message.FromDatetime(instant)
    return message


def ns_from_proto(message: Timestamp, field: str) -> int:
    """Nanoseconds since the epoch. Raises InvalidRequest (E_TIMESTAMP) for what 64 bits do not hold (1678 to 2261)."""
    if not (abs(message.seconds) <= NS_SECONDS_MAX and 0 <= message.nanos < NS_PER_S):
        shown = f"{message.seconds} s {message.nanos} ns"
        raise refused("E_TIMESTAMP", field, shown, "an instant of the years 1678 to 2261, nanos of 0 to 999999999")
    return message.seconds * NS_PER_S + message.nanos


def ns_to_proto(ns: int) -> Timestamp:
    """The Timestamp of nanoseconds since the epoch."""
    return Timestamp(seconds=ns // NS_PER_S, nanos=ns % NS_PER_S)


def span_from_proto(message: Duration, field: str) -> timedelta:
    """A span of time. Raises InvalidRequest (E_DURATION) for one that is malformed or finer than a microsecond."""
    seconds, nanos = message.seconds, message.nanos
    if abs(seconds) > SPAN_S_MAX or abs(nanos) >= NS_PER_S or seconds * nanos < 0:
        raise refused("E_DURATION", field, f"{seconds} s {nanos} ns", "a Duration as protobuf defines it")
    if nanos % 1000:
        raise refused("E_DURATION", field, f"{nanos} ns", "whole microseconds")
    return timedelta(seconds=seconds, microseconds=nanos // 1000)


def span_to_proto(span: timedelta) -> Duration:
    """The Duration of a span of time."""
    message = Duration()
    message.FromTimedelta(span)
    return message


def require_times(message: Message, field: str = "") -> None:
    """Raises InvalidRequest (E_TIMESTAMP, E_DURATION) for an instant or span, at any depth, that has no meaning."""
    if isinstance(message, Timestamp):
        instant_from_proto(message, field)
    elif isinstance(message, Duration):
        span_from_proto(message, field)
    else:
        for path, part in _parts(message, f"{field}." if field else ""):
            require_times(part, path)


def _parts(message: Message, prefix: str) -> Iterator[tuple[str, Message]]:
    """The messages right inside a message, with their paths."""
    for descriptor, value in message.ListFields():
        path = prefix + descriptor.name
        if isinstance(value, Message):
            yield path, value
        elif isinstance(value, Mapping):
            yield from ((f"{path}[{key}]", part) for key, part in value.items() if isinstance(part, Message))
        elif descriptor.message_type is not None:
            yield from ((f"{path}[{index}]", part) for index, part in enumerate(value))
