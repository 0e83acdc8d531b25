"""Weekly windows of a world: when its strategies may take new risk, by the wall clock of a zone.

Pure: the instant is an argument. A window comes to spans of time, one for each of its days: from the instant it opens
to the instant it closes. A span belongs to the day it opens on; one that closes at or before the time it opens ends on
the next day. All that is asked is answered from the same spans, so what is told is what happens.

Wall times are those of the zone, so a window moves with daylight saving. A wall time the clock skips is the first
instant after the gap; one the clock shows twice is the first of the two, for opening and for closing. So a window that
lies wholly in a gap does not open that day, and none opens a second time because the clock goes back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

WEEK = 7
AHEAD = 2 * WEEK + 1  # a window of one day may miss it, in a gap, and open on the same day a week later
NO_PLACE = "Factory"  # in the list of zones, but it says that no zone was set
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Window:
    """Open on `days` (Monday is 0) from `opens` to `closes`, wall times of the IANA zone `tz`."""

    days: frozenset[int]
    opens: time
    closes: time
    tz: str

    @property
    def overnight(self) -> bool:
        """Whether it closes on the day after."""
        return self.closes <= self.opens


def is_open(windows: Sequence[Window], now: datetime) -> bool:
    """Whether any window is open; without windows it always is."""
    return not windows or any(opens <= now < closes for window in windows for opens, closes in _spans(window, now, 1))


def closes_at(windows: Sequence[Window], now: datetime) -> datetime | None:
    """The next instant at which no window is open any more, in UTC; None when shut now, or for more than a week."""
    if not windows or not is_open(windows, now):
        return None
    ends = sorted(closes for window in windows for _, closes in _spans(window, now, WEEK + 1) if closes > now)
    return next((end for end in ends if not is_open(windows, end)), None)


def opens_at(windows: Sequence[Window], now: datetime) -> datetime | None:
    """The next instant at which a window opens, in UTC; None when one is open now, or none will in two weeks."""
    if is_open(windows, now):
        return None
    return min((opens for window in windows for opens, _ in _spans(window, now, AHEAD) if opens > now), default=None)


def _spans(window: Window, now: datetime, ahead: int) -> Iterator[Span]:
    """The spans that open from yesterday on to so many days ahead; no older one reaches into today.

    Tomorrow counts even for now: a clock that is set back over midnight shows today again.
    """
    today = now.astimezone(zone(window.tz)).date()
    for offset in range(-1, ahead + 1):
        day = today + timedelta(days=offset)
        if day.weekday() in window.days:
            opens, closes = _span(window, day)
            if opens < closes:
                yield opens, closes


@lru_cache(maxsize=4096)
def _span(window: Window, day: date) -> Span:
    """From opening to closing of one day, in UTC; of a window that lies in a gap both are the same."""
    last = day + _DAY if window.overnight else day
    return _instant(datetime.combine(day, window.opens), window.tz), _instant(
        datetime.combine(last, window.closes), window.tz
    )


def _instant(wall: datetime, name: str) -> datetime:
    """When a zone's clock first shows a wall time or, skipping it, a later one."""
    tz = zone(name)
    told = wall.replace(tzinfo=tz).astimezone(UTC)
    if told.astimezone(tz).replace(tzinfo=None) == wall:
        return told
    before, after = wall.replace(tzinfo=tz, fold=1).astimezone(UTC), told  # on either side of the change of the clock
    offset = after.astimezone(tz).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        before, after = (before, middle) if middle.astimezone(tz).utcoffset() == offset else (middle, after)
    return after.replace(microsecond=0)


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The IANA zone of a name. Raises ValueError for one that is not in the list, which every machine has the same.

    What a machine merely has on its disk (`localtime`, `posix/...`, `right/...`) is no zone: elsewhere it is another.
    """
    if name not in zones():
        raise ValueError(f"{name!r} is not an IANA zone")
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """The names of the tzdata package's own list."""
    return frozenset((files("tzdata") / "zones").read_text().split()) - {NO_PLACE}
