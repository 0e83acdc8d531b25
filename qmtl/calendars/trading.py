"""When an exchange's bars are expected: every bar over which it trades, without weekends, holidays and lunch breaks.

A bar of a day or more belongs to sessions, not to hours: it is labelled 00:00 UTC of its session's date, and known when
it ends, after every exchange's close of that date. Shorter bars are expected where they overlap regular hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from qmtl.calendars.exchanges import ExchangeHours, Session
from qmtl.calendars.spans import Coverage, Span, ceil_to, floor_to, intersect, normalise, subtract
from qmtl.core.errors import refused
from qmtl.core.instants import from_ns, to_ns

YEARS_MAX = 60  # of one question
_DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class ExchangeCalendar:
    """The calendar of an exchange by its hours of a year; days that those do not reach are refused."""

    name: str
    version: str
    hours_of: Callable[[int], ExchangeHours] = field(compare=False, repr=False)

    def expected(self, span: Span, interval_ns: int) -> Coverage:
        """Spans of bars that open inside `span`. Raises InvalidRequest (E_CALENDAR_RANGE)."""
        start, end = ceil_to(span.start_ns, interval_ns), floor_to(span.end_ns, interval_ns)
        if start >= end:
            return ()
        days = _day_bars if interval_ns % _DAY_NS == 0 else _hour_bars
        found = (bar for session in self._sessions(start, end, interval_ns) for bar in days(session, interval_ns))
        return intersect(normalise(found), (Span(start, end),))

    def _sessions(self, start_ns: int, end_ns: int, interval_ns: int) -> Iterator[Session]:
        """Sessions of the years that the span touches; one may begin on the day before its date."""
        margin = _DAY_NS + interval_ns
        first, last = from_ns(start_ns - margin).year, from_ns(end_ns + margin).year
        if last - first >= YEARS_MAX:
            raise refused("E_CALENDAR_RANGE", f"calendar {self.name}", f"{first} to {last}", f"{YEARS_MAX} years")
        for year in range(first, last + 1):
            yield from (session for session in self.hours_of(year).sessions if session.day.year == year)


def _day_bars(session: Session, interval_ns: int) -> Iterator[Span]:
    opens = floor_to(midnight_ns(session.day), interval_ns)
    yield Span(opens, opens + interval_ns)


def _hour_bars(session: Session, interval_ns: int) -> Iterator[Span]:
    for part in subtract((session.regular,), session.breaks):
        yield Span(floor_to(part.start_ns, interval_ns), ceil_to(part.end_ns, interval_ns))


def midnight_ns(day: date) -> int:
    """00:00 UTC of a date: the label of its daily bar."""
    return to_ns(datetime(day.year, day.month, day.day, tzinfo=UTC))
