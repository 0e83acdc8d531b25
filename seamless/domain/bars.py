"""Bars as columns: the one in-memory form of OHLCV data in this service.

A bar is labelled by its open and known at its close. Columns are read-only numpy arrays of one
length; `flags` marks rows, so a correction is visible on the row that it corrected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from qmtl.calendars.spans import Coverage, Span

Values = NDArray[np.float64]
VALUES = ("open", "high", "low", "close", "volume")
SCHEMA = (("time", "timestamp[ns, UTC]"), *((name, "float64") for name in VALUES))


class RowFlag(IntFlag):
    """Why a row is not simply what the source said once."""

    NONE = 0
    REVISED = 1


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Columns of OHLCV bars, sorted by open time."""

    time_ns: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    flags: NDArray[np.uint8]

    def __post_init__(self) -> None:
        for column in self.columns():
            if column.shape != self.time_ns.shape:
                raise ValueError(f"columns of {column.shape} and {self.time_ns.shape} rows")
            column.setflags(write=False)

    def __len__(self) -> int:
        return int(self.time_ns.size)

    def columns(self) -> tuple[NDArray[np.generic], ...]:
        """All columns, time first and flags last."""
        return (self.time_ns, *self.values(), self.flags)

    def values(self) -> tuple[Values, Values, Values, Values, Values]:
        """Open, high, low, close, volume."""
        return (self.open, self.high, self.low, self.close, self.volume)

    def take(self, rows: slice | NDArray[np.bool_] | NDArray[np.intp]) -> "Bars":
        """The chosen rows: a slice shares memory, a mask or index copies."""
        return of_values(self.time_ns[rows], [v[rows] for v in self.values()], self.flags[rows])

    def revised(self) -> "Bars":
        """The same bars, each flagged as a correction."""
        return of_values(self.time_ns, self.values(), (self.flags | np.uint8(RowFlag.REVISED)).astype(np.uint8))

    def within(self, span: Span) -> "Bars":
        """The bars that open inside a span."""
        first, last = np.searchsorted(self.time_ns, (span.start_ns, span.end_ns))
        return self.take(slice(int(first), int(last)))


@dataclass(frozen=True, slots=True)
class ImpossibleValue:
    """A value that no bar can have, and what it should be."""

    row: int
    field: str
    value: float
    want: str


def first_impossible(values: Sequence[Values]) -> ImpossibleValue | None:
    """The first value of five columns, in the order of `VALUES`, that no bar can have; None when every bar can be.

    High is the most and low the least that was paid, and nobody trades less than nothing. What is not finite is not
    judged here. Prices below zero are prices: spreads and storage have had them.
    """
    found = [
        ImpossibleValue(row, field, float(column[row]), f"{words}{bound[row]:g}")
        for field, column, wrong, bound, words in _faults(values)
        for row in np.flatnonzero(wrong)[:1].tolist()
    ]
    return min(found, key=lambda fault: fault.row, default=None)


def impossible_rows(values: Sequence[Values]) -> NDArray[np.bool_]:
    """The rows of five columns that `first_impossible` would name."""
    found: NDArray[np.bool_] = np.logical_or.reduce([wrong for _, _, wrong, _, _ in _faults(values)])
    return found


def _faults(values: Sequence[Values]) -> tuple[tuple[str, Values, NDArray[np.bool_], Values, str], ...]:
    """Field, column, which rows are wrong, by which bound, and its words."""
    open_, high, low, close, volume = values
    top, bottom = np.maximum(open_, close), np.minimum(open_, close)
    return (
        ("high", high, high < top, top, "at least open and close: "),
        ("low", low, low > bottom, bottom, "at most open and close: "),
        ("volume", volume, volume < 0.0, np.zeros_like(volume), "at least "),
    )


def concatenated(parts: Sequence[Bars]) -> Bars:
    """The rows of several tables, one after the other."""
    columns = [np.concatenate(column) for column in zip(*(part.columns() for part in parts), strict=True)]
    return of_values(columns[0], columns[1:-1], columns[-1])


def no_bars() -> Bars:
    """An empty table."""
    return of_values(np.empty(0, np.int64), [np.empty(0, np.float64) for _ in VALUES], np.empty(0, np.uint8))


def of_values(time_ns: NDArray[np.int64], values: Sequence[Values], flags: NDArray[np.uint8]) -> Bars:
    """Bars of five value columns in the order of `VALUES`."""
    open_, high, low, close, volume = values
    return Bars(time_ns, open_, high, low, close, volume, flags)


def coverage_of(time_ns: NDArray[np.int64], interval_ns: int) -> Coverage:
    """The coverage of sorted, distinct bar opens on the grid."""
    if time_ns.size == 0:
        return ()
    breaks = np.flatnonzero(np.diff(time_ns) != interval_ns)
    starts = time_ns[np.concatenate(([0], breaks + 1))]
    ends = time_ns[np.concatenate((breaks, [time_ns.size - 1]))] + interval_ns
    return tuple(Span(int(s), int(e)) for s, e in zip(starts, ends, strict=True))


def opening_inside(time_ns: NDArray[np.int64], spans: Sequence[Span]) -> NDArray[np.bool_]:
    """Which opens lie inside spans that are in order and apart."""
    if not spans:
        return np.zeros(time_ns.shape, np.bool_)
    starts, ends = np.array(spans, np.int64).T
    place = np.searchsorted(starts, time_ns, side="right") - 1
    found: NDArray[np.bool_] = (place >= 0) & (time_ns < ends[place])
    return found
