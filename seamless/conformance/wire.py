"""Conformance reports as messages."""

from __future__ import annotations

from qmtl.calendars import spans
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.wire.instants import ns_to_proto
from seamless.domain.conformance.policies import STRICT, TOLERANT
from seamless.domain.conformance.report import Action, ConformanceReport, Finding, Rule, Sample
from seamless.domain.fetch_plan import Gap, GapKind
from seamless.wire import gap_to_proto

_RULES = {
    Rule.UNREADABLE: conformancepb.CONFORMANCE_RULE_UNREADABLE,
    Rule.SCHEMA: conformancepb.CONFORMANCE_RULE_SCHEMA,
    Rule.SCHEMA_CANARY: conformancepb.CONFORMANCE_RULE_SCHEMA_CANARY,
    Rule.UTC: conformancepb.CONFORMANCE_RULE_UTC,
    Rule.SORT: conformancepb.CONFORMANCE_RULE_SORT,
    Rule.DUPLICATE: conformancepb.CONFORMANCE_RULE_DUPLICATE,
    Rule.REVISED: conformancepb.CONFORMANCE_RULE_REVISED,
    Rule.GRID: conformancepb.CONFORMANCE_RULE_GRID,
    Rule.OHLC: conformancepb.CONFORMANCE_RULE_OHLC,
    Rule.FINITE: conformancepb.CONFORMANCE_RULE_FINITE,
    Rule.NEGATIVE_VOLUME: conformancepb.CONFORMANCE_RULE_VOLUME,
    Rule.STEP_CHANGE: conformancepb.CONFORMANCE_RULE_STEP,
    Rule.CALENDAR: conformancepb.CONFORMANCE_RULE_CALENDAR,
    Rule.GAP: conformancepb.CONFORMANCE_RULE_GAP,
    Rule.PARTIAL_LAST_BAR: conformancepb.CONFORMANCE_RULE_PARTIAL_LAST_BAR,
    Rule.SPARSE_VOLUME: conformancepb.CONFORMANCE_RULE_SPARSE_VOLUME,
}
STRICTNESS = {
    STRICT.name: conformancepb.CONFORMANCE_STRICTNESS_STRICT,
    TOLERANT.name: conformancepb.CONFORMANCE_STRICTNESS_TOLERANT,
}
_ACTIONS = {
    Action.KEPT: conformancepb.CONFORMANCE_ACTION_FLAGGED,
    Action.DROPPED: conformancepb.CONFORMANCE_ACTION_DROPPED,
    Action.REPAIRED: conformancepb.CONFORMANCE_ACTION_REPAIRED,
}


def report_to_proto(report: ConformanceReport) -> conformancepb.ConformanceReport:
    """A conformance report as it is stored and sent."""
    return conformancepb.ConformanceReport(
        dataset=report.dataset,
        strictness=STRICTNESS[report.policy],
        rows_in=report.rows_in,
        rows_out=report.rows_out,
        findings=[finding_to_proto(f) for f in report.findings],
        gaps=[gap_to_proto(Gap(span, GapKind.UNKNOWN), report.interval_ns) for span in report.gaps],
        bars_expected=report.expected_rows,
        bars_present=spans.bars(spans.intersect(report.have, report.expected), report.interval_ns),
        data_ratio=report.coverage_ratio,
        resolved_ratio=report.coverage_ratio,
        rule_version=report.rule_version,
        bars_held_back=report.held_back,
        schema_version=report.schema,
        canary_schema_version=report.canary_schema,
    )


def finding_to_proto(finding: Finding) -> conformancepb.ConformanceFinding:
    refused = finding.blocking and finding.count > 0
    return conformancepb.ConformanceFinding(
        rule=_RULES[finding.rule],
        action=conformancepb.CONFORMANCE_ACTION_REFUSED if refused else _ACTIONS[finding.action],
        rows=finding.count,
        samples=[_sample_to_proto(sample) for sample in finding.samples],
        blocking=finding.blocking,
    )


def _sample_to_proto(sample: Sample) -> conformancepb.ConformanceSample:
    time = ns_to_proto(sample.time_ns) if sample.time_ns else None
    return conformancepb.ConformanceSample(open_time=time, message=sample.detail)
