"""Daily returns of strategies by UTC day, and the days that several of them share although their calendars differ.

A day that is absent is a gap: the return is not known, and it is never taken for 0. A day on which the strategy's
calendar is closed is no gap: what the others earn on it compounds into the next day that is open to all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times


@dataclass(frozen=True, slots=True)
class DailyReturns:
    """Simple returns of one strategy, as fractions of its capital at the start of each UTC day.

    `days` are proleptic ordinals (`date.toordinal`), ascending; `values` are one per day. `closed` are the days without
    a value because the strategy's calendar is closed, ascending too.
    """

    days: tuple[int, ...]
    values: tuple[float, ...]
    closed: tuple[int, ...] = ()

    @property
    def first(self) -> date:
        """The first day with a value."""
        return date.fromordinal(self.days[0])

    @property
    def last(self) -> date:
        """The last day with a value."""
        return date.fromordinal(self.days[-1])

    def value_on(self, day: date) -> float | None:
        """The return of a day; None: a gap, or the calendar is closed."""
        at = np.searchsorted(self.days, day.toordinal())
        return self.values[at] if at < len(self.days) and self.days[at] == day.toordinal() else None


def daily_returns(values: Mapping[date, float], closed: Iterable[date] = ()) -> DailyReturns:
    """Daily returns of a mapping from day to return."""
    days = sorted(values)
    return DailyReturns(
        tuple(day.toordinal() for day in days),
        tuple(float(values[day]) for day in days),
        tuple(sorted(day.toordinal() for day in closed)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class SharedReturns:
    """Returns of several strategies on the days that all of them have.

    `ids` sorted; `days` (n,) ordinals of the days on which each row ends; `starts` (n,) the first day that compounds
    into the row; `rows` (n, p), a column per id.
    """

    ids: tuple[str, ...]
    days: Times
    starts: Times
    rows: Floats

    def __len__(self) -> int:
        return len(self.days)

    def newest(self, count: int) -> SharedReturns:
        """The last `count` rows."""
        return SharedReturns(self.ids, self.days[-count:], self.starts[-count:], self.rows[-count:])

    def of(self, ids: Sequence[str]) -> SharedReturns:
        """The columns of some ids, on the same days. `ids` sorted and known."""
        columns = [self.ids.index(name) for name in ids]
        return SharedReturns(tuple(ids), self.days, self.starts, self.rows[:, columns])

    def weighted(self, weights: Floats) -> Floats:
        """Returns (n,) of a book that holds these weights (p,) at the start of every row."""
        total: Floats = self.rows @ weights
        return total


def shared_returns(returns: Mapping[str, DailyReturns]) -> SharedReturns:
    """The days that all strategies share. Rows are empty when there is none, or no strategy."""
    ids = tuple(sorted(returns))
    filled = [returns[name] for name in ids if returns[name].days]
    if not ids or len(filled) < len(ids):
        return SharedReturns(ids, _no_days(), _no_days(), np.empty((0, len(ids))))
    first = _first_shared(filled)
    count = min(one.days[-1] for one in filled) - first + 1
    if count <= 0:
        return SharedReturns(ids, _no_days(), _no_days(), np.empty((0, len(ids))))
    values = _values(filled, first, count)
    known, closed = ~np.isnan(values), _closed(filled, first, count)
    growth = np.where(known, 1.0 + values, 1.0)  # 1 where there is no return
    open_to_all = ~closed.any(axis=1)
    ends = np.flatnonzero(open_to_all)
    if not len(ends):
        return SharedReturns(ids, _no_days(), _no_days(), np.empty((0, len(ids))))
    begins = np.concatenate(([0], ends[:-1] + 1))
    whole = np.logical_and.reduceat((known | closed)[: ends[-1] + 1], begins, axis=0).all(axis=1) & known[ends].all(1)
    compounded = np.multiply.reduceat(growth[: ends[-1] + 1], begins, axis=0) - 1.0
    single = begins == ends  # a day by itself keeps its return to the last bit
    compounded[single] = values[ends[single]]
    return SharedReturns(ids, ends[whole] + first, begins[whole] + first, compounded[whole])


def _first_shared(filled: Sequence[DailyReturns]) -> int:
    """The first day that may be of a shared row: the latest first one, and the closed days that lead up to it."""
    first, earliest = max(one.days[0] for one in filled), min(one.days[0] for one in filled)
    shut = {day for one in filled for day in one.closed}
    while first > earliest and first - 1 in shut:
        first -= 1
    return first


def _closed(filled: Sequence[DailyReturns], first: int, count: int) -> np.ndarray:
    """By day and strategy: whether its calendar is closed."""
    closed = np.zeros((count, len(filled)), dtype=bool)
    for column, one in enumerate(filled):
        shut = np.array(one.closed, dtype=np.int64) - first
        closed[shut[(shut >= 0) & (shut < count)], column] = True
    return closed


def _values(filled: Sequence[DailyReturns], first: int, count: int) -> Floats:
    values = np.full((count, len(filled)), np.nan)
    for column, one in enumerate(filled):
        at = np.array(one.days, dtype=np.int64) - first
        inside = (at >= 0) & (at < count)
        values[at[inside], column] = np.array(one.values)[inside]
    return values


def _no_days() -> Times:
    return np.empty(0, dtype=np.int64)
