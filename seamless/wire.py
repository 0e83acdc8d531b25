"""Proto to domain and back for the data contract, and all validation of requests that needs meaning."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.modes import ExecutionDomain
from qmtl.data.v1 import data_pb2 as datapb
from qmtl.data.v1 import service_pb2 as servicepb
from seamless.domain import coverage
from seamless.domain.bars import Bars
from seamless.domain.conformance import Action, Finding, Report, Rule, Sample
from seamless.domain.coverage import Coverage, Span
from seamless.domain.fingerprint import decimals
from seamless.domain.gate import Origin
from seamless.domain.manifest import Manifest
from seamless.domain.plan import FetchPlan, Gap, GapKind
from seamless.domain.replay import Replay

_NS = 1_000_000_000
_OLDEST_S, _NEWEST_S = -9_000_000_000, 9_000_000_000  # 1684 to 2255: inside int64 nanoseconds with room to align

_GAPS = {
    GapKind.NOT_FETCHED: datapb.GAP_KIND_NOT_FETCHED,
    GapKind.VERIFIED_EMPTY: datapb.GAP_KIND_VERIFIED_EMPTY,
    GapKind.OUTAGE: datapb.GAP_KIND_OUTAGE,
    GapKind.UNKNOWN: datapb.GAP_KIND_UNKNOWN,
}
_SOURCES = {
    Origin.ARTIFACT: datapb.SPAN_SOURCE_ARTIFACT,
    Origin.STORAGE: datapb.SPAN_SOURCE_STORAGE,
    Origin.BACKFILL: datapb.SPAN_SOURCE_BACKFILL,
    Origin.LIVE: datapb.SPAN_SOURCE_LIVE,
}
_RULES = {
    Rule.SCHEMA: datapb.CONFORMANCE_RULE_SCHEMA,
    Rule.UTC: datapb.CONFORMANCE_RULE_UTC,
    Rule.SORT: datapb.CONFORMANCE_RULE_SORT,
    Rule.DUPLICATE: datapb.CONFORMANCE_RULE_DUPLICATE,
    Rule.REVISED: datapb.CONFORMANCE_RULE_REVISED,
    Rule.GRID: datapb.CONFORMANCE_RULE_GRID,
    Rule.OHLC: datapb.CONFORMANCE_RULE_OHLC,
    Rule.FINITE: datapb.CONFORMANCE_RULE_FINITE,
    Rule.NEGATIVE_VOLUME: datapb.CONFORMANCE_RULE_VOLUME,
    Rule.STEP_CHANGE: datapb.CONFORMANCE_RULE_STEP,
    Rule.GAP: datapb.CONFORMANCE_RULE_GAP,
    Rule.PARTIAL_LAST_BAR: datapb.CONFORMANCE_RULE_PARTIAL_LAST_BAR,
    Rule.SPARSE_VOLUME: datapb.CONFORMANCE_RULE_SPARSE_VOLUME,
}
_ACTIONS = {
    Action.KEPT: datapb.CONFORMANCE_ACTION_FLAGGED,
    Action.DROPPED: datapb.CONFORMANCE_ACTION_DROPPED,
    Action.REPAIRED: datapb.CONFORMANCE_ACTION_REPAIRED,
}
_DOMAINS = {
    commonpb.EXECUTION_DOMAIN_BACKTEST: ExecutionDomain.BACKTEST,
    commonpb.EXECUTION_DOMAIN_DRYRUN: ExecutionDomain.DRYRUN,
    commonpb.EXECUTION_DOMAIN_LIVE: ExecutionDomain.LIVE,
    commonpb.EXECUTION_DOMAIN_SHADOW: ExecutionDomain.SHADOW,
}


@dataclass(frozen=True, slots=True)
class Range:
    """Opens wanted, `[start, end)`; None: as far as the data goes."""

    start_ns: int | None
    end_ns: int | None

    def over(self, whole: Span, interval_ns: int) -> Span:
        """The grid-aligned span it means over data that covers `whole`."""
        start = whole.start_ns if self.start_ns is None else coverage.ceil_to(self.start_ns, interval_ns)
        end = whole.end_ns if self.end_ns is None else coverage.ceil_to(self.end_ns, interval_ns)
        return Span(start, max(start, end))


@dataclass(frozen=True, slots=True)
class FetchAsk:
    """A fetch request, understood. `domain` None: no context was given."""

    dataset: str
    range: Range
    domain: ExecutionDomain | None
    as_of_ns: int | None
    fingerprint: str
    session_id: str


def fetch_from_proto(request: servicepb.FetchRequest) -> FetchAsk:
    """Raises InvalidRequest (E_RANGE, E_EXECUTION_DOMAIN, E_DATA_SESSION)."""
    context = request.context
    domain = domain_from_proto(context.execution_domain) if request.HasField("context") else None
    if request.session_id and domain is not ExecutionDomain.DRYRUN:
        raise InvalidRequest("E_DATA_SESSION", "session_id is set: want a context in DRYRUN with it")
    return FetchAsk(
        dataset=request.dataset,
        range=range_from_proto(request.range, "range"),
        domain=domain,
        as_of_ns=instant(context.as_of, "context.as_of") if context.HasField("as_of") else None,
        fingerprint=context.dataset_fingerprint,
        session_id=request.session_id,
    )


def domain_from_proto(domain: commonpb.ExecutionDomain) -> ExecutionDomain:
    """Raises InvalidRequest (E_EXECUTION_DOMAIN) for an unspecified or unknown value."""
    if domain not in _DOMAINS:
        field = Violation("context.execution_domain", str(domain), "one of BACKTEST, DRYRUN, LIVE, SHADOW")
        raise InvalidRequest("E_EXECUTION_DOMAIN", str(field), violations=[field])
    return _DOMAINS[domain]


def range_from_proto(given: commonpb.TimeRange, field: str) -> Range:
    """Raises InvalidRequest (E_RANGE)."""
    start = instant(given.start, f"{field}.start") if given.HasField("start") else None
    end = instant(given.end, f"{field}.end") if given.HasField("end") else None
    if start is not None and end is not None and end < start:
        raise _bad_range(f"{field}.end", given.end.ToJsonString(), "not before start")
    return Range(start, end)


def instant(stamp: Timestamp, field: str) -> int:
    """Nanoseconds of a Timestamp. Raises InvalidRequest (E_RANGE)."""
    if not (_OLDEST_S <= stamp.seconds <= _NEWEST_S and 0 <= stamp.nanos < _NS):
        raise _bad_range(field, f"{stamp.seconds} s and {stamp.nanos} ns", "an instant from 1685 to 2255")
    return stamp.seconds * _NS + stamp.nanos


def stamp(instant_ns: int) -> Timestamp:
    """The Timestamp of nanoseconds since the epoch."""
    return Timestamp(seconds=instant_ns // _NS, nanos=instant_ns % _NS)


def now_ns(now: datetime) -> int:
    """Nanoseconds of a clock's reading."""
    since = now - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * _NS + since.microseconds * 1_000


def span_to_proto(span: Span) -> commonpb.TimeRange:
    return commonpb.TimeRange(start=stamp(span.start_ns), end=stamp(span.end_ns))


def gap_to_proto(gap: Gap, interval_ns: int) -> datapb.Gap:
    return datapb.Gap(range=span_to_proto(gap.span), kind=_GAPS[gap.kind], bars=gap.span.bars(interval_ns))


def spans_to_proto(plan: FetchPlan) -> Iterable[datapb.Span]:
    """Each planned span with its source; rows are the bars it holds."""
    for part in plan.spans:
        rows = part.span.bars(plan.interval_ns)
        yield datapb.Span(range=span_to_proto(part.span), source=_SOURCES[part.origin], rows=rows)


def coverage_to_proto(spans: Coverage) -> Iterable[commonpb.TimeRange]:
    return map(span_to_proto, spans)


def report_to_proto(report: Report) -> datapb.ConformanceReport:
    """What is stored and sent of a conformance report."""
    return datapb.ConformanceReport(
        dataset=report.dataset,
        preset=report.policy,
        rows_in=report.rows_in,
        rows_out=report.rows_out,
        findings=[finding_to_proto(f) for f in report.findings],
        gaps=[gap_to_proto(Gap(span, GapKind.UNKNOWN), report.interval_ns) for span in report.gaps],
        bars_expected=report.expected_rows,
        bars_present=coverage.bars(report.have, report.interval_ns),
        data_ratio=report.coverage_ratio,
        resolved_ratio=report.coverage_ratio,
        rule_version=report.rule_version,
    )


def finding_to_proto(finding: Finding) -> datapb.ConformanceFinding:
    refused = finding.blocking and finding.count > 0
    return datapb.ConformanceFinding(
        rule=_RULES[finding.rule],
        action=datapb.CONFORMANCE_ACTION_REFUSED if refused else _ACTIONS[finding.action],
        rows=finding.count,
        samples=[_sample_text(sample) for sample in finding.samples],
        blocking=finding.blocking,
    )


def artifact_to_proto(manifest: Manifest) -> datapb.Artifact:
    return datapb.Artifact(
        dataset_fingerprint=manifest.fingerprint,
        dataset=manifest.dataset,
        as_of=stamp(manifest.as_of_ns),
        range=span_to_proto(manifest.span),
        rows=manifest.rows,
        rule_version=manifest.rule_version,
        calendar=manifest.calendar,
        calendar_version=manifest.calendar_version,
        producer=manifest.producer,
        watermark=stamp(manifest.watermark_ns),
        leaves=[leaf.digest for leaf in manifest.leaves],
    )


def replay_to_proto(replay: Replay) -> servicepb.DataSession:
    return servicepb.DataSession(
        session_id=replay.session_id,
        preset=replay.preset,
        dataset=replay.dataset,
        start=stamp(replay.span.start_ns),
        end=stamp(replay.span.end_ns),
        bars_per_second=replay.bars_per_s,
        watermark=stamp(replay.watermark_ns),
        opened_at=stamp(replay.opened_at_ns),
        dataset_fingerprint=replay.history,
    )


def bars_to_proto(table: Bars, interval_ns: int) -> list[datapb.Bar]:
    """Bars as messages, prices and volume as exact decimal text."""
    rows = zip(table.time_ns.tolist(), *(decimals(v) for v in table.values()), strict=True)
    return [
        datapb.Bar(
            open_time=stamp(opened),
            close_time=stamp(opened + interval_ns),
            open=first,
            high=high,
            low=low,
            close=last,
            volume=volume,
        )
        for opened, first, high, low, last, volume in rows
    ]


def _sample_text(sample: Sample) -> str:
    when = datetime.fromtimestamp(sample.time_ns // _NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{when} {sample.detail}" if sample.time_ns else sample.detail


def _bad_range(field: str, value: str, want: str) -> InvalidRequest:
    violation = Violation(field, value, want)
    return InvalidRequest("E_RANGE", str(violation), violations=[violation])
