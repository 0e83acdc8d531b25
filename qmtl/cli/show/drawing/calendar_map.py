"""Coverage as a calendar: a row for each month, a cell for each day. Pure.

A day is full, partly there, missing, stated empty by its source, or one of which nothing is expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum

DAY_S = 86_400
MONTHS_MAX = 600
Range = tuple[int, int]  # seconds since the epoch, the end not included


class Cell(Enum):
    """What is there of a day, as it is drawn."""

    NOTHING = " "
    FULL = "█"
    MOST = "▓"
    SOME = "░"
    MISSING = "·"
    EMPTY = "o"


LEGEND = "█ whole  ▓ half or more  ░ less  · missing  o empty by its source"


@dataclass(frozen=True, slots=True)
class MonthRow:
    """A month and its days, the first at 0."""

    year: int
    month: int
    cells: tuple[Cell, ...]


def months_of(there: Iterable[Range], missing: Iterable[Range], empty: Iterable[Range]) -> list[MonthRow]:
    """The months from the first to the last day of anything, at most `MONTHS_MAX`, the newest."""
    shares = [_by_day(ranges) for ranges in (there, missing, empty)]
    days = [day for share in shares for day in share]
    if not days:
        return []
    day, last = date.fromordinal(min(days)).replace(day=1), date.fromordinal(max(days))
    rows: list[MonthRow] = []
    while day <= last:
        following = (day + timedelta(days=32)).replace(day=1)
        span = range(day.toordinal(), following.toordinal())
        rows.append(MonthRow(day.year, day.month, tuple(_cell(one, shares) for one in span)))
        day = following
    return rows[-MONTHS_MAX:]


def map_text(rows: Sequence[MonthRow]) -> str:
    """The calendar for a terminal, with its legend."""
    ruler = " " * 9 + "".join(f"{day:<5}" for day in range(1, 32, 5)).rstrip()
    lines = [f"{row.year}-{row.month:02d}  {''.join(cell.value for cell in row.cells)}".rstrip() for row in rows]
    return "\n".join([ruler, *lines, LEGEND])


def _by_day(ranges: Iterable[Range]) -> dict[int, int]:
    """Seconds of each day, by its ordinal."""
    found: dict[int, int] = {}
    for start, end in ranges:
        while start < end:
            stop = min(end, start - start % DAY_S + DAY_S)
            ordinal = datetime.fromtimestamp(start, UTC).toordinal()
            found[ordinal] = found.get(ordinal, 0) + stop - start
            start = stop
    return found


def _cell(day: int, shares: Sequence[Mapping[int, int]]) -> Cell:
    there, missing, empty = (share.get(day, 0) for share in shares)
    if there and not missing:
        return Cell.FULL
    if there:
        return Cell.MOST if there >= missing else Cell.SOME
    if missing:
        return Cell.MISSING
    return Cell.EMPTY if empty else Cell.NOTHING
