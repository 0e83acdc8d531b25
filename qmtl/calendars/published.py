"""Calendars of exchanges from the package exchange_calendars, with extended hours laid around them.

The one place that imports it, and only when asked: it brings pandas.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import lru_cache
from importlib.metadata import version
from warnings import catch_warnings, simplefilter

from qmtl.calendars.calendars import AlwaysOpen, Calendar
from qmtl.calendars.exchanges import US_EQUITY, US_FUTURES, DailyHours, ExchangeHours, Session, session_of_day
from qmtl.calendars.spans import Span
from qmtl.calendars.trading import ExchangeCalendar
from qmtl.calendars.windows import zone
from qmtl.core.errors import InvalidRequest, refused
from qmtl.core.instants import from_ns

_HOURS: dict[str, DailyHours] = {"XNYS": US_EQUITY, "XNAS": US_EQUITY, "CMES": US_FUTURES}
"""Hours of our own around the days and early closes of the package: it has no extended hours, and of CME's futures not
the hour from 17:00 to 18:00 New York in which they rest.
"""


def exchange_hours(code: str, first: date, last: date) -> ExchangeHours:
    """The hours of an exchange by its ISO 10383 code (XNYS, XNAS, XLON; CMES for CME's futures) from day to day.

    Extended hours are those of US shares; elsewhere they are the regular ones. Raises InvalidRequest
    (E_CALENDAR_UNKNOWN) for a code the package does not have, (E_CALENDAR_RANGE) for days it does not reach.
    """
    import exchange_calendars

    if code not in exchange_calendars.get_calendar_names():
        raise refused("E_CALENDAR_UNKNOWN", "calendar", code, "a code of exchange_calendars, such as XNYS")
    with catch_warnings():
        simplefilter("ignore", DeprecationWarning)  # exchange_calendars 4.13 on pandas 3.1
        try:
            found = exchange_calendars.get_calendar(code, start=str(first), end=str(last))
        except ValueError as error:
            raise refused("E_CALENDAR_RANGE", f"calendar {code}", f"{first} to {last}", str(error)) from None
    early = {stamp.date() for stamp in found.early_closes}
    tz = str(found.tz)
    sessions = []
    pauses = zip(found.schedule["break_start"], found.schedule["break_end"], strict=True)
    for stamp, opens, closes, pause in zip(found.sessions, found.opens, found.closes, pauses, strict=True):
        session = _session(code, stamp.date(), Span(opens.value, closes.value), stamp.date() in early)
        has_break = pause[0] == pause[0]  # NaT differs from itself
        sessions.append(replace(session, breaks=(Span(*(end.value for end in pause)),)) if has_break else session)
    return ExchangeHours(code, _package(), tz, first, last, tuple(sessions))


def calendar_named(name: str) -> Calendar:
    """The calendar of a name: `24/7`, or an ISO 10383 code such as XNYS.

    Raises InvalidRequest (E_CALENDAR_UNKNOWN); asked of days that the package does not have, the calendar raises
    (E_CALENDAR_RANGE).
    """
    if name == AlwaysOpen().name:
        return AlwaysOpen()
    import exchange_calendars

    if name not in exchange_calendars.get_calendar_names():
        raise refused("E_CALENDAR_UNKNOWN", "calendar", name[:40], "24/7, or a code of an exchange, such as XNYS")
    return exchange_calendar(name)


def exchange_calendar(code: str) -> ExchangeCalendar:
    """The calendar of an exchange whose code is known to be one: the package is imported when it is first asked."""
    return ExchangeCalendar(code, _package(), lambda year: _hours_with(code, year))


def _hours_with(code: str, year: int) -> ExchangeHours:
    """Hours that have a year: its decade's, as making a calendar costs as much for one year, else its own."""
    return _hours_of_decade(code, year // 10) or _hours_of_year(code, year)


@lru_cache(maxsize=32)
def _hours_of_decade(code: str, decade: int) -> ExchangeHours | None:
    """None for a decade whose years are not all known."""
    try:
        return exchange_hours(code, date(10 * decade - 1, 12, 1), date(10 * decade + 10, 1, 31))
    except InvalidRequest:
        return None


def hours_around(code: str, at_ns: int) -> ExchangeHours:
    """The hours of an exchange from a month before the year of an instant to a month after it. Raises as
    `exchange_hours`.
    """
    return _hours_of_year(code, from_ns(at_ns).year)


DAYS_A_YEAR = 365.0
"""Of a market that never closes."""


def sessions_of(codes: Iterable[str], start_ns: int, end_ns: int) -> tuple[float, tuple[int, ...] | None]:
    """How many sessions a year has and when each ends, over a stretch of instruments with these calendars: those of the
    exchange that all are of; UTC days (None), 365 a year, where one never closes or they are of several.

    A year has as many as the calendar years of the stretch have on average. Raises as `exchange_hours`.
    """
    named = set(codes)
    if len(named) != 1 or "" in named:
        return DAYS_A_YEAR, None
    return _sessions_of_years(named.pop(), from_ns(start_ns).year, from_ns(end_ns).year)


@lru_cache(maxsize=16)
def _sessions_of_years(code: str, first: int, last: int) -> tuple[float, tuple[int, ...]]:
    hours = exchange_hours(code, date(first - 1, 12, 1), date(last + 1, 1, 31))
    within = sum(first <= session.day.year <= last for session in hours.sessions)
    return within / (last - first + 1), tuple(session.regular.end_ns for session in hours.sessions)


def _package() -> str:
    return f"exchange_calendars {version('exchange_calendars')}"


@lru_cache(maxsize=64)
def _hours_of_year(code: str, year: int) -> ExchangeHours:
    return exchange_hours(code, date(year - 1, 12, 1), date(year + 1, 1, 31))


def _session(code: str, day: date, regular: Span, early: bool) -> Session:
    hours = _HOURS.get(code)
    if hours is None:
        return Session(day, regular, regular, early)
    closes = from_ns(regular.end_ns).astimezone(zone(hours.tz)).time() if early else None
    return session_of_day(day, hours, closes)
