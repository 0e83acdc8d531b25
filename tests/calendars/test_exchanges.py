"""Hours of exchanges: half days, days of clock change, holidays, extended hours, and questions beyond what is known."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from qmtl.calendars.exchanges import (
    FOREX,
    US_EQUITY,
    US_FUTURES,
    ExchangeHours,
    daily_hours,
    session_of_day,
    us_bank_holidays,
    weekdays,
)
from qmtl.calendars.published import exchange_hours
from qmtl.calendars.spans import Span
from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import from_ns, to_ns


def utc(*moment: int) -> int:
    year, month, day, *rest = moment
    hour, minute, second = (*rest, 0, 0, 0)[:3]
    return to_ns(datetime(year, month, day, hour, minute, second, tzinfo=UTC))


def shown(span: Span) -> tuple[str, str]:
    return tuple(f"{from_ns(at):%m-%d %H:%M}" for at in (span.start_ns, span.end_ns))  # type: ignore[return-value]


THANKSGIVING = date(2024, 11, 28)
WEEK = daily_hours(
    "XNYS", "by hand", US_EQUITY, list(weekdays(date(2024, 11, 25), date(2024, 12, 3), frozenset({THANKSGIVING}))),
    {date(2024, 11, 29): time(13)},
)  # fmt: skip


@pytest.mark.parametrize(
    ("day", "regular", "extended"),
    [
        # the clocks of New York change on 2024-03-10 and 2024-11-03
        (date(2024, 3, 8), ("03-08 14:30", "03-08 21:00"), ("03-08 09:00", "03-09 01:00")),
        (date(2024, 3, 11), ("03-11 13:30", "03-11 20:00"), ("03-11 08:00", "03-12 00:00")),
        (date(2024, 11, 1), ("11-01 13:30", "11-01 20:00"), ("11-01 08:00", "11-02 00:00")),
        (date(2024, 11, 4), ("11-04 14:30", "11-04 21:00"), ("11-04 09:00", "11-05 01:00")),
    ],
)
def test_wall_times_hold_over_a_change_of_the_clock(
    day: date, regular: tuple[str, str], extended: tuple[str, str]
) -> None:
    session = session_of_day(day, US_EQUITY)
    assert (shown(session.regular), shown(session.extended), session.early) == (regular, extended, False)


def test_currency_days_run_from_evening_to_evening_and_are_short_or_long_when_the_clock_changes() -> None:
    """Sunday 17:00 New York is 22:00 UTC in winter and 21:00 in summer; the change falls on Sunday morning."""
    assert shown(session_of_day(date(2024, 3, 8), FOREX).regular) == ("03-07 22:00", "03-08 22:00")
    assert shown(session_of_day(date(2024, 3, 11), FOREX).regular) == ("03-10 21:00", "03-11 21:00")
    assert shown(session_of_day(date(2024, 11, 4), FOREX).regular) == ("11-03 22:00", "11-04 22:00")
    assert shown(session_of_day(date(2024, 7, 1), US_FUTURES).regular) == ("06-30 22:00", "07-01 21:00")


def test_the_evening_before_the_first_day_is_known_where_its_session_begins_there() -> None:
    days = list(weekdays(date(2024, 7, 1), date(2024, 7, 5)))
    currency = daily_hours("FX", "by hand", FOREX, days)
    assert not currency.is_open(utc(2024, 7, 5, 21))
    assert [currency.is_open(utc(2024, 6, 30, 21, 0, 0)), currency.is_open(utc(2024, 7, 5, 20, 59, 59))] == [True, True]
    with pytest.raises(InvalidRequest, match="E_CALENDAR_RANGE"):
        currency.is_open(utc(2024, 6, 30, 20, 59, 59))
    with pytest.raises(InvalidRequest, match="E_CALENDAR_RANGE"):
        daily_hours("FX", "by hand", FOREX, days[:1]).is_open(utc(2024, 7, 3))


def test_a_half_day_closes_early_and_so_does_its_extended_session() -> None:
    session = WEEK.session_of(date(2024, 11, 29))
    assert session is not None
    assert (shown(session.regular), shown(session.extended), session.early) == (
        ("11-29 14:30", "11-29 18:00"),
        ("11-29 09:00", "11-29 22:00"),
        True,
    )


@pytest.mark.parametrize(
    ("at", "regular", "extended"),
    [
        (utc(2024, 11, 27, 8, 59, 59), False, False),
        (utc(2024, 11, 27, 9), False, True),
        (utc(2024, 11, 27, 14, 29, 59), False, True),
        (utc(2024, 11, 27, 14, 30), True, True),  # an open is inside
        (utc(2024, 11, 27, 20, 59, 59), True, True),
        (utc(2024, 11, 27, 21), False, True),  # a close is not
        (utc(2024, 11, 28, 0, 59, 59), False, True),
        (utc(2024, 11, 28, 1), False, False),
        (utc(2024, 11, 28, 15), False, False),  # a holiday
        (utc(2024, 11, 29, 17, 59, 59), True, True),
        (utc(2024, 11, 29, 18), False, True),  # a half day
        (utc(2024, 11, 29, 22), False, False),
        (utc(2024, 11, 30, 15), False, False),
        (utc(2024, 11, 25, 8), False, False),  # before the first session
    ],
)
def test_an_exchange_is_open_from_its_open_to_before_its_close(at: int, regular: bool, extended: bool) -> None:
    assert (WEEK.is_open(at), WEEK.is_open(at, extended=True)) == (regular, extended)


def test_what_comes_next_and_what_was_before() -> None:
    opens, closes = utc(2024, 11, 27, 14, 30), utc(2024, 11, 27, 21)
    assert (WEEK.next_open(opens - 1), WEEK.next_open(opens)) == (opens, utc(2024, 11, 29, 14, 30))
    assert (WEEK.next_close(closes - 1), WEEK.next_close(closes)) == (closes, utc(2024, 11, 29, 18))
    assert (WEEK.last_close(closes), WEEK.last_close(closes - 1)) == (closes, utc(2024, 11, 26, 21))
    assert WEEK.next_trading_day(date(2024, 11, 27)) == date(2024, 11, 29)
    assert WEEK.next_trading_day(THANKSGIVING) == date(2024, 11, 29)
    assert WEEK.previous_trading_day(date(2024, 11, 29)) == date(2024, 11, 27)
    assert WEEK.previous_trading_day(THANKSGIVING) == date(2024, 11, 27)
    assert [WEEK.is_trading_day(day) for day in (date(2024, 11, 27), THANKSGIVING, date(2024, 11, 30))] == [
        True,
        False,
        False,
    ]
    assert len(WEEK.trading_days()) == len(WEEK.regular_spans()) == 6


@pytest.mark.parametrize(
    ("start", "end", "regular", "extended"),
    [
        (utc(2024, 11, 27, 14), utc(2024, 11, 27, 14, 30), False, True),
        (utc(2024, 11, 27, 14), utc(2024, 11, 27, 14, 31), True, True),
        (utc(2024, 11, 27, 20, 59), utc(2024, 11, 27, 22), True, True),
        (utc(2024, 11, 27, 21), utc(2024, 11, 27, 22), False, True),
        (utc(2024, 11, 28, 1), utc(2024, 11, 29, 9), False, False),
        (utc(2024, 11, 27, 21), utc(2024, 11, 29, 15), True, True),
        (utc(2024, 12, 3, 21), utc(2024, 12, 3, 22), False, True),
    ],
)
def test_a_bar_may_hold_trades_if_a_session_falls_into_it(start: int, end: int, regular: bool, extended: bool) -> None:
    span = Span(start, end)
    assert (WEEK.is_open_within(span), WEEK.is_open_within(span, extended=True)) == (regular, extended)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: WEEK.is_open(utc(2024, 12, 4, 15)),
        lambda: WEEK.is_open(utc(2024, 11, 24, 15)),
        lambda: WEEK.is_trading_day(date(2024, 12, 4)),
        lambda: WEEK.is_trading_day(date(2024, 11, 24)),
        lambda: WEEK.next_open(utc(2024, 12, 3, 14, 30)),
        lambda: WEEK.next_close(utc(2024, 12, 3, 21)),
        lambda: WEEK.last_close(utc(2024, 11, 25, 20)),
        lambda: WEEK.next_trading_day(date(2024, 12, 3)),
        lambda: WEEK.previous_trading_day(date(2024, 11, 25)),
        lambda: WEEK.is_open_within(Span(utc(2024, 12, 4, 15), utc(2024, 12, 4, 16))),
    ],
)
def test_beyond_what_it_knows_a_calendar_answers_nothing(ask: object) -> None:
    with pytest.raises(InvalidRequest, match=r"E_CALENDAR_RANGE.*2024-11-25 to 2024-12-03"):
        ask()  # type: ignore[operator]  # one of the questions above


# Federal Reserve Banks: 2024-10-14 and 2024-11-11; 2023: 10-09, and the 11th was a Saturday; 2018: Monday the 12th
@pytest.mark.parametrize(
    ("year", "columbus", "veterans"),
    [
        (2024, date(2024, 10, 14), date(2024, 11, 11)),
        (2023, date(2023, 10, 9), date(2023, 11, 11)),
        (2018, date(2018, 10, 8), date(2018, 11, 12)),
        (2029, date(2029, 10, 8), date(2029, 11, 12)),
    ],
)
def test_bank_holidays_on_which_exchanges_trade(year: int, columbus: date, veterans: date) -> None:
    assert us_bank_holidays(year) == {columbus, veterans}


@pytest.fixture(scope="module")
def nyse() -> ExchangeHours:
    return exchange_hours("XNYS", date(2024, 1, 1), date(2024, 12, 31))


# nyse.com, holidays and trading hours 2024: ten holidays, early closes at 13:00 on 07-03, 11-29 and 12-24
def test_the_year_of_the_new_york_stock_exchange(nyse: ExchangeHours) -> None:
    holidays = [day for day in weekdays(nyse.first, nyse.last) if not nyse.is_trading_day(day)]
    assert [f"{day:%m-%d}" for day in holidays] == [
        "01-01", "01-15", "02-19", "03-29", "05-27", "06-19", "07-04", "09-02", "11-28", "12-25",
    ]  # fmt: skip
    early = {session.day: shown(session.regular)[1] for session in nyse.sessions if session.early}
    assert early == {
        date(2024, 7, 3): "07-03 17:00",
        date(2024, 11, 29): "11-29 18:00",
        date(2024, 12, 24): "12-24 18:00",
    }
    assert nyse.session_of(date(2024, 11, 29)) == WEEK.session_of(date(2024, 11, 29))
    assert (nyse.tz, nyse.version.split()[0]) == ("America/New_York", "exchange_calendars")


def test_futures_rest_for_an_hour_a_day_and_close_early_before_holidays() -> None:
    cme = exchange_hours("CMES", date(2024, 7, 1), date(2024, 7, 8))
    assert [
        shown(session.regular) for session in cme.sessions if session.day in (date(2024, 7, 2), date(2024, 7, 4))
    ] == [
        ("07-01 22:00", "07-02 21:00"),
        ("07-03 22:00", "07-04 17:00"),
    ]
    assert not cme.is_open(utc(2024, 7, 2, 21, 30))


def test_an_exchange_without_hours_of_our_own_has_its_regular_ones() -> None:
    london = exchange_hours("XLON", date(2024, 12, 23), date(2024, 12, 24))
    assert [shown(session.extended) for session in london.sessions] == [
        ("12-23 08:00", "12-23 16:30"),
        ("12-24 08:00", "12-24 12:30"),
    ]
    assert [session.early for session in london.sessions] == [False, True]


def test_an_unknown_code_and_days_out_of_reach_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="E_CALENDAR_UNKNOWN"):
        exchange_hours("NYSE!", date(2024, 1, 1), date(2024, 1, 31))
    with pytest.raises(InvalidRequest, match="E_CALENDAR_RANGE"):
        exchange_hours("XHKG", date(1900, 1, 1), date(1900, 12, 31))


def test_currency_and_futures_trade_in_their_regular_hours_alone() -> None:
    for hours in (FOREX, US_FUTURES):
        whole, early = session_of_day(date(2024, 7, 2), hours), session_of_day(date(2024, 7, 4), hours, time(13))
        assert whole.extended == whole.regular
        assert shown(whole.extended)[1] == "07-02 21:00"
        assert shown(early.regular)[1] == "07-04 17:00"
        assert early.extended.start_ns == early.regular.start_ns
