"""Weekly windows: days, nights, zones and daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qmtl.calendars.windows import Window, closes_at, is_open, opens_at, zone, zones

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


NY, EVERY_DAY = "America/New_York", frozenset(range(7))
GAP, TWICE = "2026-03-08", "2026-11-01"  # New York skips 02:00 to 03:00 (07:00 UTC), and shows 01:00 to 02:00 twice


def span_of(window: Window, now: datetime) -> tuple[datetime | None, datetime | None]:
    """When it opens next, and when it closes after that."""
    opens = opens_at([window], now)
    return opens, None if opens is None else closes_at([window], opens)


@pytest.mark.parametrize(
    ("opens", "closes", "day", "span"),
    [
        (time(1), time(2, 30), GAP, ("T06:00", "T07:00")),  # it would close in the gap: it closes as the gap begins
        (time(2, 30), time(9), GAP, ("T07:00", "T13:00")),  # it would open in the gap: it opens right after it
        (time(1), time(3), GAP, ("T06:00", "T07:00")),
        (time(0, 30), time(1, 30), TWICE, ("T04:30", "T05:30")),  # it closes the first time it is half past one
        (time(1, 30), time(4), TWICE, ("T05:30", "T09:00")),  # it opens the first time
        (time(1, 15), time(1, 45), TWICE, ("T05:15", "T05:45")),  # and not again an hour later
    ],
)
def test_when_the_clock_changes(opens: time, closes: time, day: str, span: tuple[str, str]) -> None:
    window = Window(EVERY_DAY, opens, closes, NY)
    told = span_of(window, at(f"{day}T04:15"))
    assert told == (at(day + span[0]), at(day + span[1]))
    assert told[1] is not None
    again = opens_at([window], told[1])
    assert again is not None
    assert again > told[1] + timedelta(hours=12)


def test_one_that_lies_in_the_gap_does_not_open_that_day() -> None:
    sundays = Window(frozenset({6}), time(2), time(2, 45), NY)
    assert span_of(sundays, at("2026-03-01T08:00")) == (at("2026-03-15T06:00"), at("2026-03-15T06:45"))


def test_a_night_over_the_change_ends_at_its_wall_time() -> None:
    saturday_night = Window(frozenset({5}), time(17), time(1, 30), NY)
    assert closes_at([saturday_night], at("2026-11-01T04:00")) == at("2026-11-01T05:30")
    assert not is_open([saturday_night], at("2026-11-01T06:10"))  # half past one comes again, the window does not


def test_a_day_that_a_zone_left_out_has_no_window() -> None:
    thirtieth = Window(frozenset({4}), time(9), time(17), "Pacific/Apia")  # Friday 30 December 2011
    assert opens_at([thirtieth], at("2011-12-29T12:00")) == at("2012-01-05T19:00")


def test_only_zones_of_the_list_are_zones() -> None:
    assert {"UTC", NY, "Asia/Kolkata"} <= zones()
    for name in ("localtime", "Factory", "posixrules", "posix/UTC", "right/UTC", "", "utc", "../UTC", "zone.tab"):
        with pytest.raises(ValueError, match="is not an IANA zone"):
            zone(name)


TIMES = st.times().map(lambda t: t.replace(second=0, microsecond=0))
AT_NIGHT = st.builds(time, st.integers(0, 3), st.sampled_from([0, 15, 30, 45]))  # where clocks change
ZONES = st.sampled_from([
    "UTC", NY, "Asia/Kolkata", "Europe/Berlin", "Pacific/Auckland", "Australia/Lord_Howe", "Asia/Beirut",
    "America/St_Johns", "Pacific/Apia",
])  # fmt: skip
WINDOWS = st.lists(
    st.builds(
        Window, st.frozensets(st.integers(0, 6), min_size=1), TIMES | AT_NIGHT, TIMES | AT_NIGHT, ZONES
    ), min_size=1, max_size=3,
)  # fmt: skip
CHANGES = st.sampled_from([
    "2026-03-08T07:00", "2026-11-01T06:00", "2026-03-29T01:00", "2026-10-25T01:00", "2026-04-04T14:00",
    "2026-09-26T14:00", "2026-04-04T15:00", "2026-10-03T15:30", "2026-03-28T22:00", "2026-10-24T21:00",
    "2010-11-07T02:31", "2010-03-14T03:31", "2011-12-30T10:00",
]).map(at)  # fmt: skip
AROUND = st.builds(lambda change, minutes: change + timedelta(minutes=minutes), CHANGES, st.integers(-3000, 3000))
INSTANTS = AROUND | st.datetimes(datetime(2010, 1, 1), datetime(2027, 12, 31)).map(  # noqa: DTZ001 - made UTC below
    lambda d: d.replace(second=0, microsecond=0, tzinfo=UTC)
)
DAILY = [Window(EVERY_DAY, time(1), time(2, 30), NY)]


@given(WINDOWS, INSTANTS)
@example(DAILY, at("2026-03-08T06:30"))
@example([Window(EVERY_DAY, time(2, 30), time(9), NY)], at("2026-03-08T06:30"))
@example([Window(EVERY_DAY, time(2), time(2, 45), NY)], at("2026-03-08T06:30"))
@example([Window(EVERY_DAY, time(0, 30), time(1, 30), NY)], at("2026-11-01T05:40"))
@example([Window(EVERY_DAY, time(1, 30), time(16), NY)], at("2026-11-01T05:45"))
@example([Window(frozenset({0}), time(0), time(0, 30), "America/St_Johns")], at("2010-11-08T02:00"))
def test_nothing_changes_before_the_instant_that_is_told(windows: list[Window], now: datetime) -> None:
    opened, change = is_open(windows, now), closes_at(windows, now) or opens_at(windows, now)
    end = now + timedelta(days=7) if change is None else change
    assert end > now
    assert change is None or is_open(windows, change) is not opened
    step = timedelta(minutes=17)
    steps = int((end - now) / step)
    near = [end - timedelta(seconds=1), *(end - timedelta(minutes=15 * back) for back in range(1, 12))]
    instants = [*(now + step * count for count in range(min(steps, 200) + 1)), *near]
    assert all(is_open(windows, instant) is opened for instant in instants if now <= instant < end)


@given(WINDOWS, AROUND)
def test_each_window_is_open_as_its_zone_s_clock_says_on_days_without_a_change(
    windows: list[Window], now: datetime
) -> None:
    for window in windows:
        local = now.astimezone(zone(window.tz))
        days = [local + timedelta(days=offset) for offset in (-2, 2)]
        if days[0].utcoffset() != days[1].utcoffset():
            continue
        wall, today = local.time(), local.weekday() in window.days
        yesterday = (local.weekday() - 1) % 7 in window.days
        if window.overnight:
            expected = (today and wall >= window.opens) or (yesterday and wall < window.closes)
        else:
            expected = today and window.opens <= wall < window.closes
        assert is_open([window], now) is expected
