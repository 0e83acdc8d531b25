"""Where lag is counted from: a healthy feed has none, of any interval and calendar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.calendars.calendars import AlwaysOpen, Calendar, SessionCalendar
from qmtl.calendars.published import calendar_named
from qmtl.calendars.spans import Span, floor_to
from seamless.live.feed import next_close

S_NS = 1_000_000_000
MINUTE_NS, HOUR_NS, DAY_NS = 60 * S_NS, 3_600 * S_NS, 86_400 * S_NS
YEAR_2026_NS = 1_767_225_600 * S_NS
INTERVALS_NS = (S_NS, MINUTE_NS, 15 * MINUTE_NS, HOUR_NS, DAY_NS, 7 * DAY_NS)


def healthy(calendar: Calendar, interval_ns: int, now_ns: int) -> int:
    """The watermark of a feed that has every bar: the close of the newest expected one that has closed."""
    until_ns = floor_to(now_ns, interval_ns)
    closed = calendar.expected(Span(until_ns - 10 * DAY_NS, until_ns), interval_ns)
    return closed[-1].end_ns


@given(st.sampled_from(INTERVALS_NS[:-1]), st.integers(0, 330 * DAY_NS))
def test_a_healthy_feed_is_never_late(interval_ns: int, after_ns: int) -> None:
    now_ns = YEAR_2026_NS + 20 * DAY_NS + after_ns
    assert 0 < next_close(AlwaysOpen(), floor_to(now_ns, interval_ns), interval_ns) - now_ns <= interval_ns


@pytest.mark.parametrize(
    ("code", "interval_ns"), [("XNAS", 15 * MINUTE_NS), ("XHKG", 15 * MINUTE_NS), ("XNAS", DAY_NS)]
)
def test_a_healthy_feed_of_an_exchange_with_sessions_is_never_late(code: str, interval_ns: int) -> None:
    calendar = calendar_named(code)
    for hour in range(0, 300 * 24, 269):
        now_ns = YEAR_2026_NS + 20 * DAY_NS + hour * HOUR_NS + 11 * MINUTE_NS
        assert next_close(calendar, healthy(calendar, interval_ns, now_ns), interval_ns) > now_ns


@given(st.sampled_from(INTERVALS_NS), st.integers(1, 50))
def test_lag_is_counted_from_the_first_bar_that_is_missing(interval_ns: int, bars: int) -> None:
    watermark_ns = floor_to(YEAR_2026_NS, interval_ns)
    late_ns = watermark_ns + bars * interval_ns - next_close(AlwaysOpen(), watermark_ns, interval_ns)
    assert late_ns == (bars - 1) * interval_ns


def test_over_the_night_lag_is_counted_from_the_first_bar_of_the_morning() -> None:
    days = SessionCalendar("days", "1", (Span(0, 2 * HOUR_NS), Span(DAY_NS, DAY_NS + 2 * HOUR_NS)))
    assert next_close(days, 2 * HOUR_NS, HOUR_NS) == DAY_NS + HOUR_NS
    assert next_close(days, HOUR_NS, HOUR_NS) == 2 * HOUR_NS


def test_a_calendar_that_ends_has_no_bar_that_is_late() -> None:
    days = SessionCalendar("days", "1", (Span(0, 2 * HOUR_NS),))
    assert next_close(days, 2 * HOUR_NS, HOUR_NS) > 365 * DAY_NS
