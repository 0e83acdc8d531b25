"""Hours of an exchange: regular and extended sessions by day, half days, what comes next and what was before.

A calendar knows the days it was made of and no others: a question beyond them is refused, never answered by a guess.
Opens are inside a session, closes are not. An extended session is the regular one with what trades before and after.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from qmtl.calendars.spans import Coverage, Span
from qmtl.calendars.windows import zone
from qmtl.core.errors import refused
from qmtl.core.instants import to_ns

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day: its regular hours, its extended hours around them, whether it closes early, its lunch breaks."""

    day: date
    regular: Span
    extended: Span
    early: bool = False
    breaks: Coverage = ()


@dataclass(frozen=True, slots=True)
class ExchangeHours:
    """The sessions of an exchange from `first` to `last` (both included), in order and apart."""

    name: str
    version: str
    tz: str
    first: date
    last: date
    sessions: tuple[Session, ...]

    def is_open(self, at_ns: int, *, extended: bool = False) -> bool:
        """Whether it trades at an instant."""
        return self.session_at(at_ns, extended=extended) is not None

    def session_at(self, at_ns: int, *, extended: bool = False) -> Session | None:
        """The session that holds an instant."""
        self._require_instant(at_ns)
        place = bisect_right(self.sessions, at_ns, key=lambda one: _hours(one, extended).start_ns) - 1
        if place < 0 or at_ns >= _hours(self.sessions[place], extended).end_ns:
            return None
        return self.sessions[place]

    def is_open_within(self, span: Span, *, extended: bool = False) -> bool:
        """Whether it trades at any moment of a span, as a bar over the span may then hold trades."""
        self._require_instant(span.start_ns)
        place = bisect_right(self.sessions, span.start_ns, key=lambda one: _hours(one, extended).end_ns)
        return place < len(self.sessions) and _hours(self.sessions[place], extended).start_ns < span.end_ns

    def is_trading_day(self, day: date) -> bool:
        """Whether there is a session of a day."""
        return self.session_of(day) is not None

    def session_of(self, day: date) -> Session | None:
        """The session of a day; None on a weekend or holiday."""
        self._require(day)
        place = bisect_left(self.sessions, day, key=lambda one: one.day)
        return self.sessions[place] if place < len(self.sessions) and self.sessions[place].day == day else None

    def next_open(self, at_ns: int) -> int:
        """The first regular open after an instant."""
        return self._after(bisect_right(self.sessions, at_ns, key=lambda one: one.regular.start_ns)).regular.start_ns

    def next_close(self, at_ns: int) -> int:
        """The first regular close after an instant."""
        return self._after(bisect_right(self.sessions, at_ns, key=lambda one: one.regular.end_ns)).regular.end_ns

    def last_close(self, at_ns: int) -> int:
        """The last regular close at or before an instant."""
        place = bisect_right(self.sessions, at_ns, key=lambda one: one.regular.end_ns) - 1
        return self._after(place).regular.end_ns

    def next_trading_day(self, day: date) -> date:
        """The first trading day after a day."""
        return self._after(bisect_right(self.sessions, day, key=lambda one: one.day)).day

    def previous_trading_day(self, day: date) -> date:
        """The last trading day before a day."""
        return self._after(bisect_left(self.sessions, day, key=lambda one: one.day) - 1).day

    def trading_days(self) -> tuple[date, ...]:
        """Every day with a session."""
        return tuple(one.day for one in self.sessions)

    def regular_spans(self) -> Coverage:
        """The regular hours as spans."""
        return tuple(one.regular for one in self.sessions)

    def local_date(self, at_ns: int) -> date:
        """The date that the exchange's clocks show."""
        seconds = at_ns // 1_000_000_000
        return datetime.fromtimestamp(seconds, UTC).astimezone(zone(self.tz)).date()

    def _after(self, place: int) -> Session:
        if not 0 <= place < len(self.sessions):
            raise _out_of_range(self, "the session before or after the last that is known")
        return self.sessions[place]

    def _require_instant(self, at_ns: int) -> None:
        """An instant of a known day, or of a session that began on the evening before the first."""
        if not (self.sessions and self.sessions[0].extended.start_ns <= at_ns < self.sessions[-1].extended.end_ns):
            self._require(self.local_date(at_ns))

    def _require(self, day: date) -> None:
        if not self.first <= day <= self.last:
            raise _out_of_range(self, str(day))


def _hours(session: Session, extended: bool) -> Span:
    return session.extended if extended else session.regular


def _out_of_range(hours: ExchangeHours, asked: str) -> Exception:
    return refused("E_CALENDAR_RANGE", f"calendar {hours.name}", asked, f"{hours.first} to {hours.last}")


@dataclass(frozen=True, slots=True)
class DailyHours:
    """Wall times of an exchange's day in its zone. `opens_before`: the session opens on the evening before its day.

    `pre` and `post` bound the extended session; on a day that closes early it ends `post_early`.
    """

    tz: str
    opens: time
    closes: time
    pre: time
    post: time
    post_early: time
    opens_before: bool = False


US_EQUITY = DailyHours("America/New_York", time(9, 30), time(16), time(4), time(20), time(17))
"""NYSE and Nasdaq with extended hours 04:00 to 20:00, to 17:00 on days that close at 13:00. Source: nyse.com, hours."""

FOREX = DailyHours("America/New_York", time(17), time(17), time(17), time(17), time(17), opens_before=True)
"""Spot currency: a day runs from 17:00 to 17:00 New York, Sunday evening to Friday."""

US_FUTURES = DailyHours("America/New_York", time(18), time(17), time(18), time(17), time(17), opens_before=True)
"""CME Globex equity index futures: 18:00 of the evening before to 17:00 New York. Source: Lean's market hours."""


def session_of_day(day: date, hours: DailyHours, closes: time | None = None) -> Session:
    """The session of a day by wall times; `closes` is an early close of that day."""
    opened = day - _DAY if hours.opens_before else day
    regular = Span(_instant(opened, hours.opens, hours.tz), _instant(day, closes or hours.closes, hours.tz))
    post = hours.post if closes is None else hours.post_early
    ends = max(regular.end_ns, _instant(day, post, hours.tz))
    return Session(day, regular, Span(_instant(opened, hours.pre, hours.tz), ends), closes is not None)


def daily_hours(
    name: str, version: str, hours: DailyHours, days: Sequence[date], early: dict[date, time] | None = None
) -> ExchangeHours:
    """A calendar of the trading days given, in order; `early` says which close early, and when."""
    known = early or {}
    sessions = tuple(session_of_day(day, hours, known.get(day)) for day in days)
    return ExchangeHours(name, version, hours.tz, days[0], days[-1], sessions)


def weekdays(first: date, last: date, holidays: frozenset[date] = frozenset()) -> Iterator[date]:
    """Monday to Friday of a range, both ends included, without holidays."""
    day = first
    while day <= last:
        if day.weekday() < 5 and day not in holidays:
            yield day
        day += _DAY


def us_bank_holidays(year: int) -> frozenset[date]:
    """Days on which US exchanges trade and no money moves: Columbus Day, and Veterans Day (Monday after a Sunday; a
    Saturday is not moved). Source: Federal Reserve Banks' holiday schedule; FINRA's notices of settlement dates.
    """
    october = date(year, 10, 1)
    columbus = october + timedelta(days=(7 - october.weekday()) % 7 + 7)
    veterans = date(year, 11, 11)
    return frozenset({columbus, veterans + _DAY if veterans.weekday() == 6 else veterans})


def _instant(day: date, at: time, tz: str) -> int:
    return to_ns(datetime.combine(day, at, zone(tz)).astimezone(UTC))
