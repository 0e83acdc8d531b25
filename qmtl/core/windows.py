"""Weekly windows of a world: when its strategies may take new risk, by the wall clock of a zone.

Pure: the instant is an argument. A window belongs to the day it opens on; one that closes at or before the time it
opens ends on the next day. Wall times are those of the zone, so a window moves with daylight saving.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

WEEK = 7


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
    return not windows or any(_contains(window, now) for window in windows)


def closes_at(windows: Sequence[Window], now: datetime) -> datetime | None:
    """The next instant at which no window is open any more, in UTC; None when shut now, or never shut."""
    if not windows or not is_open(windows, now):
        return None
    ends = sorted(end for window in windows for end in _boundaries(window, now, opening=False) if end > now)
    return next((end for end in ends if not is_open(windows, end)), None)


def opens_at(windows: Sequence[Window], now: datetime) -> datetime | None:
    """The next instant at which a window opens, in UTC; None when one is open now."""
    if is_open(windows, now):
        return None
    return min((at for window in windows for at in _boundaries(window, now, opening=True) if at > now), default=None)


def _contains(window: Window, now: datetime) -> bool:
    local = now.astimezone(zone(window.tz))
    today, wall = local.weekday(), local.time()
    if not window.overnight:
        return today in window.days and window.opens <= wall < window.closes
    yesterday = (today - 1) % WEEK
    return (today in window.days and wall >= window.opens) or (yesterday in window.days and wall < window.closes)


def _boundaries(window: Window, now: datetime, *, opening: bool) -> list[datetime]:
    """Instants of the week around `now` at which the window opens, or closes."""
    tz = zone(window.tz)
    today = now.astimezone(tz).date()
    found = []
    for offset in range(-1, WEEK + 2):
        day = today + timedelta(days=offset)
        if day.weekday() in window.days:
            ends = day + timedelta(days=1) if window.overnight and not opening else day
            wall = datetime.combine(ends, window.opens if opening else window.closes, tz)
            found.append(wall.astimezone(now.tzinfo))
    return found


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The IANA zone of a name. Raises ValueError, KeyError (ZoneInfoNotFoundError) for one that is not known."""
    return ZoneInfo(name)
