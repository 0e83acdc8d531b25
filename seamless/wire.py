"""Proto to domain and back for the data contract, and all validation of requests that needs meaning."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.calendars.spans import Span
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.data.v1 import data_pb2 as datapb
from seamless.domain.fetch_plan import Gap, GapKind
from seamless.domain.ranges import Range

NS_PER_S = 1_000_000_000
_OLDEST_S, _NEWEST_S = -9_000_000_000, 9_000_000_000  # 1684 to 2255: inside int64 nanoseconds with room to align

_GAPS = {
    GapKind.NOT_FETCHED: datapb.GAP_KIND_NOT_FETCHED,
    GapKind.VERIFIED_EMPTY: datapb.GAP_KIND_VERIFIED_EMPTY,
    GapKind.OUTAGE: datapb.GAP_KIND_OUTAGE,
    GapKind.UNKNOWN: datapb.GAP_KIND_UNKNOWN,
}


def range_from_proto(given: commonpb.TimeRange, field: str) -> Range:
    """Raises InvalidRequest (E_RANGE)."""
    start = instant(given.start, f"{field}.start") if given.HasField("start") else None
    end = instant(given.end, f"{field}.end") if given.HasField("end") else None
    if start is not None and end is not None and end < start:
        raise _bad_range(f"{field}.end", given.end.ToJsonString(), "not before start")
    return Range(start, end)


def instant(stamp: Timestamp, field: str) -> int:
    """Nanoseconds of a Timestamp. Raises InvalidRequest (E_RANGE)."""
    if not (_OLDEST_S <= stamp.seconds <= _NEWEST_S and 0 <= stamp.nanos < NS_PER_S):
        raise _bad_range(field, f"{stamp.seconds} s and {stamp.nanos} ns", "an instant from 1685 to 2255")
    return stamp.seconds * NS_PER_S + stamp.nanos


def stamp(instant_ns: int) -> Timestamp:
    """The Timestamp of nanoseconds since the epoch."""
    return Timestamp(seconds=instant_ns // NS_PER_S, nanos=instant_ns % NS_PER_S)


def now_ns(now: datetime) -> int:
    """Nanoseconds of a clock's reading."""
    since = now - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NS_PER_S + since.microseconds * 1_000


def span_to_proto(span: Span) -> commonpb.TimeRange:
    return commonpb.TimeRange(start=stamp(span.start_ns), end=stamp(span.end_ns))


def gap_to_proto(gap: Gap, interval_ns: int) -> datapb.Gap:
    return datapb.Gap(range=span_to_proto(gap.span), kind=_GAPS[gap.kind], bars=gap.span.bars(interval_ns))


def _bad_range(field: str, value: str, want: str) -> InvalidRequest:
    violation = Violation(field, value, want)
    return InvalidRequest("E_RANGE", str(violation), violations=[violation])
