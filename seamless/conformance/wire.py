"""Conformance reports as messages."""

from __future__ import annotations

from datetime import UTC, datetime

from qmtl.calendars import spans
from qmtl.core.instants import NS_PER_S
from qmtl.data.v1 import conformance_pb2 as conformancepb
from seamless.domain.conformance.report import Action, ConformanceReport, Finding, Rule, Sample
from seamless.domain.fetch_plan import Gap, GapKind
from seamless.wire import gap_to_proto

_RULES = {
    Rule.SCHEMA: conformancepb.CONFORMANCE_RULE_SCHEMA,
    Rule.UTC: conformancepb.CONFORMANCE_RULE_UTC,
    Rule.SORT: conformancepb.CONFORMANCE_RULE_SORT,
    Rule.DUPLICATE: conformancepb.CONFORMANCE_RULE_DUPLICATE,
    Rule.REVISED: conformancepb.CONFORMANCE_RULE_REVISED,
    Rule.GRID: conformancepb.CONFORMANCE_RULE_GRID,
    Rule.OHLC: conformancepb.CONFORMANCE_RULE_OHLC,
    Rule.FINITE: conformancepb.CONFORMANCE_RULE_FINITE,
    Rule.NEGATIVE_VOLUME: conformancepb.CONFORMANCE_RULE_VOLUME,
    Rule.STEP_CHANGE: conformancepb.CONFORMANCE_RULE_STEP,
    Rule.GAP: conformancepb.CONFORMANCE_RULE_GAP,
    Rule.PARTIAL_LAST_BAR: conformancepb.CONFORMANCE_RULE_PARTIAL_LAST_BAR,
    Rule.SPARSE_VOLUME: conformancepb.CONFORMANCE_RULE_SPARSE_VOLUME,
}
_ACTIONS = {
    Action.KEPT: conformancepb.CONFORMANCE_ACTION_FLAGGED,
    Action.DROPPED: conformancepb.CONFORMANCE_ACTION_DROPPED,
    Action.REPAIRED: conformancepb.CONFORMANCE_ACTION_REPAIRED,
}


def report_to_proto(report: ConformanceReport) -> conformancepb.ConformanceReport:
    """What is stored and sent of a conformance report."""
    return conformancepb.ConformanceReport(
        dataset=report.dataset,
        preset=report.policy,
        rows_in=report.rows_in,
        rows_out=report.rows_out,
        findings=[finding_to_proto(f) for f in report.findings],
        gaps=[gap_to_proto(Gap(span, GapKind.UNKNOWN), report.interval_ns) for span in report.gaps],
        bars_expected=report.expected_rows,
        bars_present=spans.bars(report.have, report.interval_ns),
        data_ratio=report.coverage_ratio,
        resolved_ratio=report.coverage_ratio,
        rule_version=report.rule_version,
    )


def finding_to_proto(finding: Finding) -> conformancepb.ConformanceFinding:
    refused = finding.blocking and finding.count > 0
    return conformancepb.ConformanceFinding(
        rule=_RULES[finding.rule],
        action=conformancepb.CONFORMANCE_ACTION_REFUSED if refused else _ACTIONS[finding.action],
        rows=finding.count,
        samples=[_sample_text(sample) for sample in finding.samples],
        blocking=finding.blocking,
    )


def _sample_text(sample: Sample) -> str:
    when = datetime.fromtimestamp(sample.time_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{when} {sample.detail}" if sample.time_ns else sample.detail
