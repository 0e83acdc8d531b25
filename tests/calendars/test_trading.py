"""Expected bars of exchanges against their minutes one by one: half days, lunch breaks, clock changes, leap days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.calendars import spans
from qmtl.calendars.calendars import Calendar
from qmtl.calendars.published import calendar_named, exchange_hours
from qmtl.calendars.spans import Coverage, Span, grid_origin
from qmtl.calendars.trading import midnight_ns
from qmtl.core.errors import InvalidRequest
from tests.support.shared.examples import examples

MINUTE = 60_000_000_000
DAY = 1440 * MINUTE
INTERVALS = [MINUTE, 5 * MINUTE, 7 * MINUTE, 60 * MINUTE, 240 * MINUTE, DAY, 3 * DAY, 7 * DAY]
BRACKETS = {
    "XNYS": [date(2023, 11, 22), date(2024, 2, 28), date(2024, 3, 8), date(2024, 11, 1), date(2024, 12, 30)],
    "XHKG": [date(2024, 2, 8), date(2024, 2, 28), date(2024, 12, 23)],
    "XLON": [date(2024, 3, 28), date(2024, 10, 25), date(2023, 12, 21)],
    "XTKS": [date(2024, 2, 28), date(2024, 11, 1)],
    "CMES": [date(2024, 3, 8), date(2024, 7, 3)],
}
WEEKS = [(code, day) for code, days in BRACKETS.items() for day in days]


@cache
def _minutes(code: str, day: date) -> tuple[int, ...]:
    """Minutes of ten days in which trades can happen, from the sessions' hours and breaks."""
    hours = exchange_hours(code, day - timedelta(days=20), day + timedelta(days=30))
    return tuple(
        minute
        for one in hours.sessions
        for minute in range(one.regular.start_ns, one.regular.end_ns, MINUTE)
        if not any(pause.start_ns <= minute < pause.end_ns for pause in one.breaks)
    )


@cache
def _days(code: str, day: date) -> tuple[date, ...]:
    return exchange_hours(code, day - timedelta(days=20), day + timedelta(days=30)).trading_days()


def _label(instant_ns: int, interval_ns: int) -> int:
    origin = grid_origin(interval_ns)
    return (instant_ns - origin) // interval_ns * interval_ns + origin


def _brute(code: str, day: date, span: Span, interval_ns: int) -> set[int]:
    """Labels of bars over which there is trading."""
    if interval_ns % DAY == 0:
        traded = {_label(midnight_ns(one), interval_ns) for one in _days(code, day)}
    else:
        traded = {_label(minute, interval_ns) for minute in _minutes(code, day)}
    return {label for label in traded if span.start_ns <= label and label + interval_ns <= span.end_ns}


def _labels(coverage: Coverage, interval_ns: int) -> set[int]:
    return {label for span in coverage for label in range(span.start_ns, span.end_ns, interval_ns)}


@settings(deadline=None, max_examples=examples(50, 150))
@given(st.sampled_from(WEEKS), st.sampled_from(INTERVALS), st.integers(0, 9 * 1440), st.integers(1, 9 * 1440))
def test_expected_bars_are_those_over_which_the_exchange_trades(
    week: tuple[str, date], interval_ns: int, start: int, length: int
) -> None:
    code, day = week
    first = midnight_ns(day) + start * MINUTE
    span = Span(first, first + length * MINUTE)
    got = calendar_named(code).expected(span, interval_ns)
    assert _labels(got, interval_ns) == _brute(code, day, span, interval_ns)
    assert got == spans.normalise(got)


def _count(calendar: Calendar, first: str, last: str, interval_ns: int) -> int:
    edges = [
        int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000 for text in (first, last)
    ]
    return spans.bars(calendar.expected(Span(*edges), interval_ns), interval_ns)


def test_known_days() -> None:
    new_york, hong_kong = calendar_named("XNYS"), calendar_named("XHKG")
    assert _count(new_york, "2024-01-01", "2025-01-01", DAY) == 252
    assert _count(new_york, "2023-11-24", "2023-11-25", MINUTE) == 210  # the day after Thanksgiving closes at 13:00
    assert _count(new_york, "2024-03-08", "2024-03-12", 30 * MINUTE) == 26
    assert _count(new_york, "2024-02-29", "2024-03-01", DAY) == 1
    assert _count(hong_kong, "2024-03-04", "2024-03-05", MINUTE) == 330  # 09:30 to 12:00 and 13:00 to 16:00
    assert _count(calendar_named("24/7"), "2024-02-28", "2024-03-02", DAY) == 3


@pytest.mark.parametrize(("span", "reason"), [(("1700-01-01", "1800-01-01"), "E_CALENDAR_RANGE")])
def test_a_question_over_more_years_than_are_read_at_once_is_refused(span: tuple[str, str], reason: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        _count(calendar_named("XNYS"), *span, DAY)
    assert caught.value.reason == reason


def test_an_unknown_calendar_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest) as caught:
        calendar_named("XNOPE")
    assert caught.value.reason == "E_CALENDAR_UNKNOWN"


def test_calendars_of_one_name_and_version_are_equal() -> None:
    assert calendar_named("XNYS") == calendar_named("XNYS")
    assert calendar_named("XNYS") != calendar_named("XLON")
