"""Conformance: what a source delivered, rule by rule, made fit to serve, with counts and samples.

The rules run in one fixed order on columns. A rule drops rows, replaces them or only flags them; no
rule invents a bar. `RULE_VERSION` enters every fingerprint: raise it when a rule changes its result.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmtl.calendars import spans
from qmtl.calendars.calendars import Calendar
from qmtl.calendars.spans import Coverage, Span
from seamless.domain import bars
from seamless.domain.bars import VALUES, Bars, RowFlag, no_bars, of_values
from seamless.domain.conformance.policies import ConformancePolicy
from seamless.domain.conformance.raw_columns import NO_TIME, RawColumns
from seamless.domain.conformance.report import Action, ConformanceReport, Finding, Rule, Sample
from seamless.domain.row_schemas import BUILT_IN, InForce, kinds_of

RULE_VERSION = "1"
SAMPLE_LIMIT = 5
_EXACT_INT = 2.0**53  # from here on a float64 may stand for two integers


@dataclass(frozen=True, slots=True)
class _Case:
    """What a rule may look at beside the rows."""

    interval_ns: int
    calendar: Calendar
    policy: ConformancePolicy
    last_seen_ns: int | None


_Found = tuple[Bars, Action, int, tuple[Sample, ...]]
_Step = Callable[[Bars, _Case], _Found]


def conform(
    raw: RawColumns,
    *,
    dataset: str,
    interval_ns: int,
    calendar: Calendar,
    policy: ConformancePolicy,
    schema: InForce = BUILT_IN,
) -> tuple[Bars, ConformanceReport]:
    """Run every rule; the bars returned are sorted, distinct, on the grid, finite and coherent."""
    findings: list[Finding] = []

    def note(rule: Rule, action: Action, count: int, samples: tuple[Sample, ...]) -> None:
        findings.append(Finding(rule, count, action, rule in policy.blocking, samples[:SAMPLE_LIMIT]))

    kinds = {**raw.others, **kinds_of(raw.columns)}
    broken = _counted(dict.fromkeys((*BUILT_IN.refusals(kinds), *schema.refusals(kinds))))
    table, unreadable = _readable(raw) if not BUILT_IN.refusals(kinds) else (no_bars(), (0, ()))
    note(Rule.SCHEMA, Action.DROPPED, *broken)
    note(Rule.SCHEMA_CANARY, Action.KEPT, *_counted(schema.warnings(kinds)))
    note(Rule.UNREADABLE, Action.DROPPED, *unreadable)
    rows_in = int(raw.columns["time"].size) if "time" in raw.columns else 0
    note(Rule.UTC, Action.KEPT, 0 if raw.utc_known else len(table), _naive(table) if not raw.utc_known else ())
    case = _Case(interval_ns, calendar, policy, _last_seen(raw, table, interval_ns))
    for rule, step in _STEPS:
        table, action, count, samples = step(table, case)
        note(rule, action, count, samples)
    have = bars.coverage_of(table.time_ns, interval_ns)
    expected = _expected(table, case)
    gaps = spans.missing(expected, have)
    report = ConformanceReport(
        dataset,
        policy.name,
        RULE_VERSION,
        rows_in,
        len(table),
        interval_ns,
        expected,
        have,
        gaps,
        tuple(findings),
        str(schema.strict or ""),
        str(schema.canary or ""),
    )
    return table, report


def stabilise(table: Bars, drop_last: int = 2) -> Bars:
    """Without the newest bars, which a source may still revise."""
    return table.take(slice(0, max(0, len(table) - drop_last)))


def newest_bars(table: Bars, interval_ns: int, closed_ns: int, most: int) -> int:
    """How many of the last `most` bars are among the `most` newest that a source has.

    `closed_ns` is the close of its newest bar: bars that end long before it are not its newest, and are settled.
    """
    return min(most, int(np.count_nonzero(table.time_ns >= closed_ns - most * interval_ns)))


_Count = tuple[int, tuple[Sample, ...]]


def _counted(faults: Iterable[str]) -> _Count:
    samples = tuple(Sample(0, text) for text in faults)
    return len(samples), samples


def _readable(raw: RawColumns) -> tuple[Bars, _Count]:
    """The rows that can be read, and what is wrong with the others."""
    time_ns = raw.columns["time"].astype(np.int64)
    values = [raw.columns[name] for name in VALUES]
    bad = time_ns == NO_TIME
    for column in values:
        if column.dtype.kind in "iu":
            bad |= np.abs(column.astype(np.float64)) >= _EXACT_INT
    table = of_values(time_ns, [column.astype(np.float64) for column in values], np.zeros(time_ns.size, np.uint8))
    detail = "has no readable time or an integer of 2^53 or more"
    samples = tuple(Sample(0, f"row {row} {detail}") for row in np.flatnonzero(bad)[:SAMPLE_LIMIT])
    return table.take(~bad), (int(bad.sum()), samples)


def _last_seen(raw: RawColumns, table: Bars, interval_ns: int) -> int | None:
    """When the source was read: as it said, or as a newest stamp off the grid gives away."""
    if raw.observed_ns is not None or len(table) == 0:
        return raw.observed_ns
    newest = int(table.time_ns.max())
    return newest if spans.floor_to(newest, interval_ns) != newest else None


def _naive(table: Bars) -> tuple[Sample, ...]:
    return _samples(table, np.ones(len(table), np.bool_), "no offset given, read as UTC")


def _sort(table: Bars, case: _Case) -> _Found:
    behind = np.zeros(len(table), np.bool_)
    behind[1:] = table.time_ns[1:] < np.maximum.accumulate(table.time_ns)[:-1]
    samples = _samples(table, behind, "came after a newer row")
    order = np.argsort(table.time_ns, kind="stable")
    return table.take(order) if behind.any() else table, Action.REPAIRED, int(behind.sum()), samples


def _drop_same(table: Bars, case: _Case) -> _Found:
    repeated = np.zeros(len(table), np.bool_)
    repeated[:-1] = table.time_ns[:-1] == table.time_ns[1:]
    for column in table.values():
        same = (column[:-1] == column[1:]) | (np.isnan(column[:-1]) & np.isnan(column[1:]))
        repeated[:-1] &= same
    return _without(table, repeated, "the same bar again")


def _resolve_revised(table: Bars, case: _Case) -> _Found:
    superseded = np.zeros(len(table), np.bool_)
    superseded[:-1] = table.time_ns[:-1] == table.time_ns[1:]
    winner = np.zeros(len(table), np.bool_)
    winner[1:] = superseded[:-1]
    winner &= ~superseded
    flags = np.where(winner, table.flags | np.uint8(RowFlag.REVISED), table.flags).astype(np.uint8)
    marked = of_values(table.time_ns, table.values(), flags)
    samples = _samples(table, winner, "given more than once with different values; the last one is kept")
    return marked.take(~superseded), Action.REPAIRED, int(winner.sum()), samples


def _on_grid(table: Bars, case: _Case) -> _Found:
    origin = spans.grid_origin(case.interval_ns)
    return _without(table, (table.time_ns - origin) % case.interval_ns != 0, "does not open on the grid")


def _ohlc(table: Bars, case: _Case) -> _Found:
    low, high = np.minimum(table.open, table.close), np.maximum(table.open, table.close)
    wrong = (table.low > low) | (table.high < high) | (table.low > table.high)
    return _without(table, wrong, "low or high does not enclose open and close")


def _finite(table: Bars, case: _Case) -> _Found:
    good = np.ones(len(table), np.bool_)
    for column in table.values():
        good &= np.isfinite(column)
    return _without(table, ~good, "a value is not finite")


def _volume_sign(table: Bars, case: _Case) -> _Found:
    return _without(table, table.volume < 0, "volume is negative")


def _step_change(table: Bars, case: _Case) -> _Found:
    jump = np.zeros(len(table), np.bool_)
    before, after = table.close[:-1], table.close[1:]
    jump[1:] = np.abs(after - before) > case.policy.step_limit * np.abs(before)
    jump[1:] &= np.diff(table.time_ns) == case.interval_ns
    samples = _samples(table, jump, f"close moved more than {case.policy.step_limit:.0%} in one bar")
    return table, Action.KEPT, int(jump.sum()), samples


def _off_calendar(table: Bars, case: _Case) -> _Found:
    outside = ~bars.opening_inside(table.time_ns, _expected(table, case))
    samples = _samples(table, outside, f"calendar {case.calendar.name} expects no bar here")
    return table, Action.KEPT, int(outside.sum()), samples


def _gaps(table: Bars, case: _Case) -> _Found:
    have = bars.coverage_of(table.time_ns, case.interval_ns)
    gaps = spans.missing(_expected(table, case), have)
    samples = tuple(Sample(g.start_ns, f"{g.bars(case.interval_ns)} bars missing") for g in gaps)
    return table, Action.KEPT, len(gaps), samples


def _partial_last(table: Bars, case: _Case) -> _Found:
    partial = np.zeros(len(table), np.bool_)
    if case.last_seen_ns is not None:
        partial[-1:] = table.time_ns[-1:] + case.interval_ns > case.last_seen_ns
    return table, Action.KEPT, int(partial.sum()), _samples(table, partial, "read before it closed")


def _sparse_volume(table: Bars, case: _Case) -> _Found:
    silent = table.volume == 0
    count = int(silent.sum())
    if count <= case.policy.sparse_share * len(table):
        return table, Action.KEPT, 0, ()
    return table, Action.KEPT, count, _samples(table, silent, "no volume")


def _expected(table: Bars, case: _Case) -> Coverage:
    if len(table) == 0:
        return ()
    span = Span(int(table.time_ns[0]), int(table.time_ns[-1]) + case.interval_ns)
    return case.calendar.expected(span, case.interval_ns)


def _without(table: Bars, bad: NDArray[np.bool_], detail: str) -> _Found:
    count = int(bad.sum())
    return table.take(~bad) if count else table, Action.DROPPED, count, _samples(table, bad, detail)


def _samples(table: Bars, found: NDArray[np.bool_], detail: str) -> tuple[Sample, ...]:
    return tuple(Sample(int(t), detail) for t in table.time_ns[np.flatnonzero(found)[:SAMPLE_LIMIT]])


_STEPS: tuple[tuple[Rule, _Step], ...] = (
    (Rule.SORT, _sort),
    (Rule.DUPLICATE, _drop_same),
    (Rule.REVISED, _resolve_revised),
    (Rule.GRID, _on_grid),
    (Rule.OHLC, _ohlc),
    (Rule.FINITE, _finite),
    (Rule.NEGATIVE_VOLUME, _volume_sign),
    (Rule.STEP_CHANGE, _step_change),
    (Rule.CALENDAR, _off_calendar),
    (Rule.GAP, _gaps),
    (Rule.PARTIAL_LAST_BAR, _partial_last),
    (Rule.SPARSE_VOLUME, _sparse_volume),
)
