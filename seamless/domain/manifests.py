"""Manifests: what a sealed segment is and how it was made.

A segment is immutable. Its `as_of` is the close of its newest bar, so the same sample has the same
`as_of` on every machine; reprocessing seals a new segment with a strictly later `as_of`, so what an
older `as_of` sees never changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from qmtl.calendars.calendars import Calendar
from qmtl.calendars.spans import Coverage, Span
from qmtl.core.errors import NotReady
from seamless.domain import fingerprints
from seamless.domain.bars import Bars, coverage_of
from seamless.domain.conformance.report import ConformanceReport
from seamless.domain.datasets import parse_dataset
from seamless.domain.fingerprints import Leaf

RECORDING = "recording"
"""In the place of a parent: rows as a run was given them. Found by its fingerprint, never by as_of."""

_TICK_NS = 1_000  # what a reprocessed segment's as_of moves by: the finest step every SQL store keeps


@dataclass(frozen=True, slots=True)
class Manifest:
    """One sealed segment of one dataset."""

    dataset: str
    fingerprint: str
    as_of_ns: int
    span: Span
    rows: int
    coverage: Coverage
    leaves: tuple[Leaf, ...]
    rule_version: str
    policy: str
    calendar: str
    calendar_version: str
    producer: str
    cut_of: str = ""  # the fingerprint of the segment this one is the beginning of, or RECORDING

    @property
    def watermark_ns(self) -> int:
        """The close of the newest sealed bar."""
        return self.span.end_ns


def seal(
    table: Bars, report: ConformanceReport, calendar: Calendar, *, producer: str, newest: Manifest | None = None
) -> Manifest:
    """Seal stabilised bars; `newest` is the dataset's newest segment, answered again if nothing changed."""
    if report.blocked_by:
        rules = ", ".join(rule.value for rule in report.blocked_by)
        raise NotReady("E_CONFORMANCE", f"{report.dataset}: refused by {rules} under policy {report.policy}")
    if len(table) == 0:
        raise NotReady("E_CONFORMANCE", f"{report.dataset}: no bars are left to seal")
    parts = fingerprints.leaves(report.dataset, table)
    digest = fingerprints.range_digest(parts, calendar, report.rule_version)
    if newest and newest.fingerprint == digest:
        return newest
    span = Span(int(table.time_ns[0]), int(table.time_ns[-1]) + report.interval_ns)
    as_of_ns = max(span.end_ns, newest.as_of_ns + _TICK_NS) if newest else span.end_ns
    return Manifest(
        dataset=report.dataset,
        fingerprint=digest,
        as_of_ns=as_of_ns,
        span=span,
        rows=len(table),
        coverage=coverage_of(table.time_ns, report.interval_ns),
        leaves=parts,
        rule_version=report.rule_version,
        policy=report.policy,
        calendar=calendar.name,
        calendar_version=calendar.version,
        producer=producer,
    )


def cut(parent: Manifest, table: Bars, calendar: Calendar) -> Manifest:
    """The beginning of a sealed segment as a segment of its own: the history a replay session starts from.

    It is found by its fingerprint, never by as_of, so sealing it changes nothing that was seen before.
    """
    if len(table) == 0 or calendar.name != parent.calendar:
        raise ValueError("a cut needs rows, and the calendar of its parent")
    kept = {leaf.month: leaf for leaf in parent.leaves}
    parts = fingerprints.leaves(parent.dataset, table, kept)
    interval_ns = parse_dataset(parent.dataset).interval_ns
    span = Span(int(table.time_ns[0]), int(table.time_ns[-1]) + interval_ns)
    return replace(
        parent,
        fingerprint=fingerprints.range_digest(parts, calendar, parent.rule_version),
        as_of_ns=span.end_ns,
        span=span,
        rows=len(table),
        coverage=coverage_of(table.time_ns, interval_ns),
        leaves=parts,
        cut_of=parent.fingerprint,
    )


def record(
    dataset: str,
    parts: Sequence[Leaf],
    coverage: Coverage,
    calendar: Calendar,
    *,
    rule_version: str,
    policy: str,
    producer: str,
) -> Manifest:
    """Rows as a run was given them, from several places, as a segment of their own, by leaves and spans covered."""
    if not parts or not coverage:
        raise ValueError("a recording needs rows")
    span = Span(coverage[0].start_ns, coverage[-1].end_ns)
    return Manifest(
        dataset=dataset,
        fingerprint=fingerprints.range_digest(parts, calendar, rule_version),
        as_of_ns=span.end_ns,
        span=span,
        rows=sum(leaf.rows for leaf in parts),
        coverage=coverage,
        leaves=tuple(parts),
        rule_version=rule_version,
        policy=policy,
        calendar=calendar.name,
        calendar_version=calendar.version,
        producer=producer,
        cut_of=RECORDING,
    )
