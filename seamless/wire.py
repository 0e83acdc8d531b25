"""Ranges, gaps and instants of the data contract: what the wires of several subjects need."""

from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.calendars.spans import Span
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import refused
from qmtl.core.modes import ExecutionDomain
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import coverage_pb2 as coveragepb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.wire import instants
from qmtl.wire.instants import ns_to_proto
from seamless.domain.bars import Bars
from seamless.domain.fetch_plan import Gap, GapKind
from seamless.domain.ranges import Range
from seamless.domain.terms import Adjustment

NS_MAX = 9_000_000_000 * 1_000_000_000  # 1684 to 2255: inside 64 bits with room to align to the longest interval

ADJUSTMENTS = {
    Adjustment.RAW: datasetspb.ADJUSTMENT_RAW,
    Adjustment.SPLIT: datasetspb.ADJUSTMENT_SPLIT,
    Adjustment.TOTAL_RETURN: datasetspb.ADJUSTMENT_TOTAL_RETURN,
}
DOMAINS = {
    commonpb.EXECUTION_DOMAIN_BACKTEST: ExecutionDomain.BACKTEST,
    commonpb.EXECUTION_DOMAIN_DRYRUN: ExecutionDomain.DRYRUN,
    commonpb.EXECUTION_DOMAIN_LIVE: ExecutionDomain.LIVE,
    commonpb.EXECUTION_DOMAIN_SHADOW: ExecutionDomain.SHADOW,
}
_GAPS = {
    GapKind.NOT_FETCHED: coveragepb.GAP_KIND_NOT_FETCHED,
    GapKind.VERIFIED_EMPTY: coveragepb.GAP_KIND_VERIFIED_EMPTY,
    GapKind.OUTAGE: coveragepb.GAP_KIND_OUTAGE,
    GapKind.UNKNOWN: coveragepb.GAP_KIND_UNKNOWN,
}


def domain_from_proto(domain: commonpb.ExecutionDomain) -> ExecutionDomain:
    """Raises InvalidRequest (E_ENUM) for an unspecified or unknown value."""
    if domain not in DOMAINS:
        raise refused("E_ENUM", "context.execution_domain", domain, "one of BACKTEST, DRYRUN, LIVE, SHADOW")
    return DOMAINS[domain]


def range_from_proto(given: commonpb.TimeRange, field: str) -> Range:
    """A range, open where a side is absent. Raises InvalidRequest (E_RANGE, E_TIMESTAMP)."""
    start = ns_from_proto(given.start, f"{field}.start") if given.HasField("start") else None
    end = ns_from_proto(given.end, f"{field}.end") if given.HasField("end") else None
    if start is not None and end is not None and end < start:
        raise refused("E_RANGE", f"{field}.end", given.end.ToJsonString(), "not before start")
    return Range(start, end)


def ns_from_proto(stamp: Timestamp, field: str) -> int:
    """Nanoseconds of an instant of market data. Raises InvalidRequest (E_TIMESTAMP)."""
    ns = instants.ns_from_proto(stamp, field)
    if abs(ns) > NS_MAX:
        raise refused("E_TIMESTAMP", field, f"{stamp.seconds} s", "an instant of the years 1685 to 2254")
    return ns


def span_to_proto(span: Span) -> commonpb.TimeRange:
    """A span as a range that is bounded on both sides."""
    return commonpb.TimeRange(start=ns_to_proto(span.start_ns), end=ns_to_proto(span.end_ns))


def gap_to_proto(gap: Gap, interval_ns: int) -> coveragepb.Gap:
    """A gap with how many bars it is long."""
    return coveragepb.Gap(range=span_to_proto(gap.span), kind=_GAPS[gap.kind], bars=gap.span.bars(interval_ns))


def bars_to_proto(table: Bars, intervals_ns: Iterable[int], presets: Iterable[str]) -> list[barspb.Bar]:
    """Bars as messages, each with its interval and the preset that is named with it."""
    rows = zip(table.time_ns.tolist(), *(v.tolist() for v in table.values()), intervals_ns, presets, strict=True)
    return [
        barspb.Bar(
            open_time=ns_to_proto(opened),
            close_time=ns_to_proto(opened + interval_ns),
            open=first,
            high=high,
            low=low,
            close=last,
            volume=volume,
            preset=preset,
        )
        for opened, first, high, low, last, volume, interval_ns, preset in rows
    ]
