"""Calendars: which bars a venue should have made."""

from hypothesis import given
from hypothesis import strategies as st

from qmtl.calendars.calendars import AlwaysOpen, SessionCalendar
from qmtl.calendars.spans import Coverage, Span

_STEP = 60


def _model(spans: Coverage) -> set[int]:
    return {t for s in spans for t in range(s.start_ns, s.end_ns, _STEP)}


@given(st.integers(0, 500), st.integers(0, 500))
def test_a_calendar_without_holidays_expects_whole_bars_inside_the_span(start: int, length: int) -> None:
    expected = AlwaysOpen().expected(Span(start, start + length), _STEP)
    want = {t for t in range(0, 1200, _STEP) if start <= t and t + _STEP <= start + length}
    assert _model(expected) == want


def test_sessions_expect_bars_only_while_open() -> None:
    venue = SessionCalendar("TEST", "1", (Span(600, 900), Span(1200, 1500)))
    assert venue.expected(Span(700, 1330), _STEP) == (Span(720, 900), Span(1200, 1320))
