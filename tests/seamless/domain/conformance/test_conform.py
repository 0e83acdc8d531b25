"""Each conformance rule finds its fault, counts it, and does with the rows what it says."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.calendars.calendars import AlwaysOpen
from qmtl.calendars.published import calendar_named
from qmtl.calendars.spans import Span
from seamless.conformance.wire import report_to_proto
from seamless.domain.bars import RowFlag
from seamless.domain.conformance.conform import conform, newest_bars, stabilise
from seamless.domain.conformance.policies import STRICT, TOLERANT
from seamless.domain.conformance.raw_columns import NO_TIME, RawColumns
from seamless.domain.conformance.report import Action, Rule
from tests.seamless.samples import START, STEP, judge, raw


def test_clean_rows_pass_strictly_and_unchanged() -> None:
    bars, report = judge(raw([0, 1, 2, 3]), STRICT)
    assert len(bars) == report.rows_in == report.expected_rows == 4
    assert report.blocked_by == ()
    assert [f.rule for f in report.findings] == list(Rule)
    assert not any(f.count or f.samples for f in report.findings)


def test_rows_out_of_order_are_sorted_and_counted() -> None:
    bars, report = judge(raw([0, 2, 1, 3]))
    assert bars.time_ns.tolist() == [START + i * STEP for i in range(4)]
    assert report.count(Rule.SORT) == 1


def test_the_same_bar_twice_is_dropped_without_a_mark() -> None:
    bars, report = judge(raw([0, 1, 1, 2]), STRICT)
    assert (len(bars), report.count(Rule.DUPLICATE), report.count(Rule.REVISED)) == (3, 1, 0)
    assert bars.flags.tolist() == [0, 0, 0]
    assert report.blocked_by == ()


def test_of_revised_bars_the_last_wins_and_is_marked() -> None:
    bars, report = judge(raw([0, 1, 2, 1], volume={1: 5.0, 3: 7.0}))
    assert bars.volume.tolist() == [10.0, 7.0, 10.0]
    assert bars.flags.tolist() == [RowFlag.NONE, RowFlag.REVISED, RowFlag.NONE]
    assert report.count(Rule.REVISED) == 1


def test_a_revision_of_three_versions_counts_one_instant() -> None:
    bars, report = judge(raw([0, 1, 1, 1], volume={1: 1.0, 2: 2.0, 3: 3.0}))
    assert bars.volume.tolist() == [10.0, 3.0]
    assert report.count(Rule.REVISED) == 1


def test_rows_off_the_grid_are_dropped() -> None:
    rows = raw([0, 1, 2])
    rows.columns["time"][1] += 61_000_000_000
    bars, report = judge(rows)
    assert (len(bars), report.count(Rule.GRID)) == (2, 1)


@pytest.mark.parametrize("changed", [{"low": {1: 101.0}}, {"high": {1: 99.0}}])
def test_a_bar_whose_range_does_not_hold_its_prices_is_dropped(changed: dict[str, dict[int, float]]) -> None:
    bars, report = judge(raw([0, 1, 2], **changed))
    assert (len(bars), report.count(Rule.OHLC)) == (2, 1)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_dropped(value: float) -> None:
    bars, report = judge(raw([0, 1, 2], volume={0: value}))
    assert (len(bars), report.count(Rule.FINITE)) == (2, 1)


def test_negative_volume_is_dropped() -> None:
    bars, report = judge(raw([0, 1, 2], volume={2: -1.0}))
    assert (len(bars), report.count(Rule.NEGATIVE_VOLUME)) == (2, 1)


def test_a_jump_between_neighbours_is_flagged_and_kept() -> None:
    jump = {"open": {2: 140.0}, "high": {2: 140.0}, "low": {2: 140.0}, "close": {2: 140.0}}
    bars, report = judge(raw([0, 1, 2], **jump), STRICT)
    assert (len(bars), report.count(Rule.STEP_CHANGE)) == (3, 1)
    assert report.blocked_by == (Rule.STEP_CHANGE,)


@pytest.mark.parametrize(("close", "found"), [(125.0, 0), (125.1, 1), (75.0, 0), (74.9, 1)])
def test_a_jump_is_more_than_a_quarter(close: float, found: int) -> None:
    jump = {"high": {1: max(100.0, close)}, "low": {1: min(100.0, close)}, "close": {1: close}}
    assert judge(raw([0, 1], **jump))[1].count(Rule.STEP_CHANGE) == found


def test_weeks_open_on_mondays() -> None:
    """2024-01-01 was a Monday; the epoch a Thursday."""
    monday, week = int(np.datetime64("2024-01-01", "ns").astype(np.int64)), 7 * 86_400 * 10**9
    days = monday + np.array([0, week, 2 * week + 3 * 86_400 * 10**9], np.int64)
    rows = replace(raw([0, 1, 2]), columns={**raw([0, 1, 2]).columns, "time": days})
    bars, report = conform(rows, dataset="d", interval_ns=week, calendar=AlwaysOpen(), policy=TOLERANT)
    assert (bars.time_ns.tolist(), report.count(Rule.GRID)) == (days[:2].tolist(), 1)


def test_the_same_jump_over_a_gap_is_not_a_step() -> None:
    jump = {"open": {2: 140.0}, "high": {2: 140.0}, "low": {2: 140.0}, "close": {2: 140.0}}
    assert judge(raw([0, 1, 5], **jump))[1].count(Rule.STEP_CHANGE) == 0


def test_gaps_are_named_with_their_length() -> None:
    _, report = judge(raw([0, 1, 4, 5, 7]))
    assert report.gaps == (Span(START + 2 * STEP, START + 4 * STEP), Span(START + 6 * STEP, START + 7 * STEP))
    assert report.count(Rule.GAP) == 2
    assert report.coverage_ratio == 5 / 8
    finding = next(f for f in report.findings if f.rule is Rule.GAP)
    assert [s.detail for s in finding.samples] == ["2 bars missing", "1 bars missing"]


def test_a_newest_stamp_inside_a_bar_gives_away_that_the_bar_was_building() -> None:
    rows = raw([0, 1, 2])
    rows.columns["time"][2] = START + STEP + 5_000_000_000
    bars, report = judge(rows)
    finding = next(f for f in report.findings if f.rule is Rule.PARTIAL_LAST_BAR)
    assert [s.time_ns for s in finding.samples] == [START + STEP]
    assert len(stabilise(bars)) == 0


@pytest.mark.parametrize(
    ("closed", "most", "held"), [(6, 2, 2), (7, 2, 1), (8, 2, 0), (900, 2, 0), (4, 2, 2), (7, 0, 0)]
)
def test_only_the_newest_bars_of_a_source_may_be_revised(closed: int, most: int, held: int) -> None:
    bars, _ = judge(raw(list(range(6))))
    assert newest_bars(bars, STEP, START + closed * STEP, most) == held


def test_a_source_that_says_when_it_was_read_tells_a_partial_bar() -> None:
    rows = replace(raw([0, 1]), observed_ns=START + 2 * STEP - 1)
    assert judge(rows)[1].count(Rule.PARTIAL_LAST_BAR) == 1
    rows = replace(raw([0, 1]), observed_ns=START + 2 * STEP)
    assert judge(rows)[1].count(Rule.PARTIAL_LAST_BAR) == 0


def test_a_bar_where_the_calendar_expects_none_is_flagged_kept_and_refused_by_strict() -> None:
    """Good Friday of 2024 between two sessions of the exchange."""
    days = [int(np.datetime64(day, "ns").astype(np.int64)) for day in ("2024-03-28", "2024-03-29", "2024-04-01")]
    rows = replace(raw([0, 1, 2]), columns={**raw([0, 1, 2]).columns, "time": np.array(days, np.int64)})
    for policy, blocked in ((TOLERANT, ()), (STRICT, (Rule.CALENDAR,))):
        bars, report = conform(
            rows, dataset="d", interval_ns=86_400 * 10**9, calendar=calendar_named("XNYS"), policy=policy
        )
        assert (len(bars), report.expected_rows, report.count(Rule.CALENDAR), report.count(Rule.GAP)) == (3, 2, 1, 0)
        assert [(one.time_ns, one.detail) for one in report.findings[list(Rule).index(Rule.CALENDAR)].samples] == [
            (days[1], "calendar XNYS expects no bar here")
        ]
        assert report.blocked_by == blocked
        assert report_to_proto(report).bars_present == 2


def test_many_silent_bars_are_flagged_and_few_are_not() -> None:
    assert judge(raw([0, 1, 2], volume={0: 0.0}))[1].count(Rule.SPARSE_VOLUME) == 1
    assert judge(raw(list(range(20)), volume={0: 0.0}))[1].count(Rule.SPARSE_VOLUME) == 0


def test_times_without_offset_block_a_strict_preset() -> None:
    rows = replace(raw([0, 1]), utc_known=False)
    assert judge(rows, STRICT)[1].blocked_by == (Rule.UTC,)
    assert judge(rows)[1].blocked_by == ()
    found = judge(rows)[1].findings[list(Rule).index(Rule.UTC)]
    assert (found.count, [one.time_ns for one in found.samples]) == (2, [START, START + STEP])


@pytest.mark.parametrize("column", ["close", "time"])
def test_a_missing_or_textual_column_blocks_every_preset(column: str) -> None:
    rows = raw([0, 1])
    without = RawColumns({k: v for k, v in rows.columns.items() if k != column}, True)
    textual = RawColumns({**rows.columns, column: np.array(["a", "b"])}, True)
    for broken in (without, textual):
        bars, report = judge(broken)
        assert report.blocked_by == (Rule.SCHEMA,)
        assert len(bars) == 0


def test_an_unreadable_time_and_an_inexact_integer_drop_their_rows() -> None:
    rows = raw([0, 1, 2, 3])
    rows.columns["time"][0] = NO_TIME
    volume = np.array([1, 2, 2**53 + 1, 4], np.int64)
    bars, report = judge(RawColumns({**rows.columns, "volume": volume}, True))
    assert (len(bars), report.count(Rule.UNREADABLE)) == (2, 2)


def test_no_rows_are_no_fault() -> None:
    bars, report = judge(raw([]), STRICT)
    assert (len(bars), report.coverage_ratio, report.blocked_by) == (0, 1.0, ())


@given(st.lists(st.integers(0, 30), max_size=40), st.data())
def test_what_comes_out_is_sorted_distinct_coherent_and_accounted_for(opens: list[int], data: st.DataObject) -> None:
    cells = st.dictionaries(
        st.integers(0, max(0, len(opens) - 1)), st.sampled_from([math.nan, -1.0, 99.0, 101.0]), max_size=4
    )
    changed = {name: data.draw(cells) for name in ("low", "high", "volume") if opens}
    bars, report = judge(raw(opens, **changed))
    assert (np.diff(bars.time_ns) > 0).all()
    assert all(np.isfinite(v).all() for v in bars.values())
    assert ((bars.low <= np.minimum(bars.open, bars.close)) & (bars.high >= np.maximum(bars.open, bars.close))).all()
    dropped = sum(f.count for f in report.findings if f.action is Action.DROPPED)
    assert report.rows_in - report.rows_out - dropped >= report.count(Rule.REVISED)
    again, second = judge(
        RawColumns(dict(zip(("time", "open", "high", "low", "close", "volume"), bars.columns(), strict=False)), True)
    )
    assert again.time_ns.tolist() == bars.time_ns.tolist()
    assert not any(second.count(r) for r in (Rule.SORT, Rule.DUPLICATE, Rule.REVISED, Rule.OHLC, Rule.FINITE))
