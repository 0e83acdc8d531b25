"""Weekly windows: days, nights, zones and daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.windows import Window, closes_at, is_open, opens_at

WEEKDAYS = frozenset(range(5))
NEW_YORK = Window(WEEKDAYS, time(9, 30), time(16), "America/New_York")
NIGHT = Window(frozenset({4}), time(22), time(4), "UTC")  # Friday night
ALL_DAY = Window(frozenset({6}), time(0), time(0), "UTC")  # all of Sunday


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "instant", "expected"),
    [
        (NEW_YORK, "2026-01-05T14:29:59", False),  # Monday, winter: 09:30 is 14:30 UTC
        (NEW_YORK, "2026-01-05T14:30:00", True),
        (NEW_YORK, "2026-01-05T20:59:59", True),
        (NEW_YORK, "2026-01-05T21:00:00", False),
        (NEW_YORK, "2026-07-06T13:30:00", True),  # Monday, summer: an hour earlier
        (NEW_YORK, "2026-01-04T15:00:00", False),  # Sunday
        (NIGHT, "2026-01-09T21:59:59", False),
        (NIGHT, "2026-01-09T22:00:00", True),
        (NIGHT, "2026-01-10T03:59:59", True),  # it belongs to Friday
        (NIGHT, "2026-01-10T04:00:00", False),
        (NIGHT, "2026-01-10T22:00:00", False),
        (ALL_DAY, "2026-01-04T00:00:00", True),
        (ALL_DAY, "2026-01-04T23:59:59", True),
        (ALL_DAY, "2026-01-05T00:00:00", False),
    ],
)
def test_a_window_is_open_on_its_days_between_its_times(window: Window, instant: str, expected: bool) -> None:
    assert is_open([window], at(instant)) is expected


def test_without_windows_it_is_always_open_and_never_closes() -> None:
    now = at("2026-01-04T00:00:00")
    assert is_open([], now)
    assert closes_at([], now) is None
    assert opens_at([], now) is None


def test_the_next_change_is_known() -> None:
    assert closes_at([NEW_YORK], at("2026-01-05T15:00:00")) == at("2026-01-05T21:00:00")
    assert opens_at([NEW_YORK], at("2026-01-09T22:00:00")) == at("2026-01-12T14:30:00")
    assert closes_at([NEW_YORK], at("2026-01-09T22:00:00")) is None


def test_one_that_goes_on_in_another_does_not_close_between() -> None:
    morning = Window(WEEKDAYS, time(8), time(12), "UTC")
    afternoon = Window(WEEKDAYS, time(11), time(18), "UTC")
    assert closes_at([morning, afternoon], at("2026-01-05T09:00:00")) == at("2026-01-05T18:00:00")


TIMES = st.times().map(lambda t: t.replace(second=0, microsecond=0))
ZONES = st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata", "Europe/Berlin", "Pacific/Auckland"])
WINDOWS = st.lists(
    st.builds(Window, st.frozensets(st.integers(0, 6), min_size=1), TIMES, TIMES, ZONES), min_size=1, max_size=3
)
INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31)).map(  # noqa: DTZ001 - made UTC below
    lambda d: d.replace(microsecond=0, tzinfo=UTC)
)


@given(WINDOWS, INSTANTS)
def test_nothing_changes_before_the_instant_that_is_told(windows: list[Window], now: datetime) -> None:
    opened, change = is_open(windows, now), closes_at(windows, now) or opens_at(windows, now)
    if change is None:
        assert all(is_open(windows, now + timedelta(hours=h)) is opened for h in range(0, 24 * 8, 3))
        return
    assert change > now
    assert is_open(windows, change) is not opened
    steps = int((change - now) / timedelta(minutes=17))
    assert all(is_open(windows, now + timedelta(minutes=17 * step)) is opened for step in range(min(steps, 200)))
