"""Timestamps to nanoseconds since 1970 UTC and back."""

from __future__ import annotations

from google.protobuf import timestamp_pb2

from qmtl.core.instants import NS_PER_S


def stamp(time_ns: int) -> timestamp_pb2.Timestamp:
    """A Timestamp of ns since 1970."""
    return timestamp_pb2.Timestamp(seconds=time_ns // NS_PER_S, nanos=time_ns % NS_PER_S)


def nanoseconds(time: timestamp_pb2.Timestamp) -> int:
    """ns since 1970 of a Timestamp; an unset one is 0."""
    return time.seconds * NS_PER_S + time.nanos
