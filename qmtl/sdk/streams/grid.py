"""Which bar of a coarser grid a finer bar belongs to, by a calendar.

A bar of a day or more belongs to sessions by their date, a shorter one to hours on the grid of its length, as in
qmtl.calendars.trading. What a calendar does not expect belongs to no bar.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from qmtl.calendars.calendars import AlwaysOpen
from qmtl.calendars.exchanges import Session
from qmtl.calendars.published import calendar_named, exchange_calendar
from qmtl.calendars.spans import ceil_to, floor_to, subtract
from qmtl.calendars.trading import midnight_ns
from qmtl.core.errors import refused
from qmtl.core.instants import NS_PER_S, from_ns

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times

_DAY_S = 86_400
ALWAYS = AlwaysOpen().name


def check_calendar(name: str) -> None:
    """Raises InvalidRequest (E_CALENDAR_UNKNOWN)."""
    calendar_named(name)


def check_lengths(fine_s: int, coarse_s: int) -> int:
    """How many finer bars a coarse one has around the clock. Raises InvalidRequest (E_INTERVAL)."""
    if coarse_s <= fine_s or coarse_s % fine_s:
        raise refused("E_INTERVAL", "interval", f"{coarse_s} s", f"a multiple of the source's {fine_s} s")
    return coarse_s // fine_s


@dataclass(frozen=True, slots=True)
class CoarseGrid:
    """Columns of a bar's place by its close: when its coarse bar opens (s), whether it is its last, how many are
    expected in it; -1, 0, 0 for what the calendar does not expect.
    """

    calendar: str
    fine_s: int
    coarse_s: int

    @property
    def width(self) -> int:
        return 3

    def of(self, times: Times) -> Floats:
        opens = times - self.fine_s * NS_PER_S
        if self.calendar == ALWAYS:
            return self._around_the_clock(opens)
        places = np.zeros((len(opens), 3))
        years = np.array([from_ns(each).year for each in opens.tolist()], dtype=np.int64)
        for year in np.unique(years).tolist():
            mine = years == year
            places[mine] = self._expected(opens[mine], *_expected_bars(self.calendar, year, self.fine_s, self.coarse_s))
        return places

    def _around_the_clock(self, opens: Times) -> Floats:
        coarse_ns, fine_ns = self.coarse_s * NS_PER_S, self.fine_s * NS_PER_S
        origin = floor_to(0, coarse_ns)
        since = (opens - origin) % coarse_ns
        last = since == coarse_ns - fine_ns
        return np.column_stack([(opens - since) / NS_PER_S, last, np.full(len(opens), float(coarse_ns // fine_ns))])

    @staticmethod
    def _expected(opens: Times, known: Times, places: Floats) -> Floats:
        at = np.minimum(np.searchsorted(known, opens), len(known) - 1)
        return np.where((known[at] == opens)[:, None], places[at], (-1.0, 0.0, 0.0))


@lru_cache(maxsize=64)
def _expected_bars(calendar: str, year: int, fine_s: int, coarse_s: int) -> tuple[Times, Floats]:
    """Opens of the fine bars that a calendar expects in and around a year, and their places."""
    hours = exchange_calendar(calendar).hours_of
    sessions = [one for each in (year - 1, year, year + 1) for one in hours(each).sessions if one.day.year == each]
    near = [one for one in sessions if one.day.year == year or one.day.month in (1, 12)]
    opens, coarse = (np.concatenate(part) for part in zip(*(_places(s, fine_s, coarse_s) for s in near), strict=True))
    opens, first = np.unique(opens, return_index=True)
    _, index, counts = np.unique(coarse[first], return_inverse=True, return_counts=True)
    last = np.append(index[1:] != index[:-1], True)
    return opens, np.column_stack([coarse[first] / NS_PER_S, last, counts[index]])


def _places(session: Session, fine_s: int, coarse_s: int) -> tuple[Times, Times]:
    """Opens of the fine bars of a session, and of the coarse bar of each."""
    fine, coarse = fine_s * NS_PER_S, coarse_s * NS_PER_S
    spans = subtract((session.regular,), session.breaks)
    if fine_s % _DAY_S == 0:
        opens = np.array([floor_to(midnight_ns(session.day), fine)], dtype=np.int64)
    else:
        opens = np.concatenate([np.arange(floor_to(s.start_ns, fine), ceil_to(s.end_ns, fine), fine) for s in spans])
    if coarse_s % _DAY_S == 0:
        return opens, np.full(len(opens), floor_to(midnight_ns(session.day), coarse), dtype=np.int64)
    return opens, opens - (opens - floor_to(0, coarse)) % coarse
