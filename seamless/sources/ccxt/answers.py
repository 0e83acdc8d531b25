"""What an exchange's answers say about a span: bars, and which of the others it says there never were.

A page may be short, leave bars out and have empty fields; none of that is taken for a statement. A bar is said to be
absent by two answers that each list a later one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from qmtl.calendars.spans import Coverage, Span, floor_to, normalise, subtract
from seamless.domain.bars import Bars, coverage_of, impossible_rows, no_bars, of_values

Values = tuple[float, float, float, float, float]
Row = tuple[int, Values | None]
"""An open in ns, and open, high, low, close, volume; None where a field is empty or none that a bar can have."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Bars of a span, in order; `empty` is what the source says never was, `broken` opens with fields missing, `outage`
    when it says that its venue was down, `unread` what it has not asked for itself.
    """

    span: Span
    bars: Bars
    empty: Coverage = ()
    broken: tuple[int, ...] = ()
    outage: Coverage = ()
    unread: Coverage = ()

    def unresolved(self, interval_ns: int) -> Coverage:
        """Bars of the span that are neither there nor said to be absent."""
        have = coverage_of(self.bars.time_ns, interval_ns)
        return subtract((self.span,) if not self.span.empty else (), normalise((*have, *self.empty)))


@dataclass(slots=True)
class Listing:
    """What was listed so far of a span."""

    span: Span
    interval_ns: int
    rows: dict[int, Values | None] = field(default_factory=dict)
    empty: list[Span] = field(default_factory=list)
    newest_ns: int = -1  # the last open that an answer so far has listed, inside the span or after it

    def add(self, rows: Iterable[Row]) -> int:
        """Take rows of an answer over; how many bars of the span are new or whole for the first time. Of a bar that was
        corrected between two answers the later word counts.
        """
        added = 0
        for open_ns, values in rows:
            self.newest_ns = max(self.newest_ns, open_ns)
            inside = self.span.start_ns <= open_ns < self.span.end_ns and floor_to(open_ns, self.interval_ns) == open_ns
            if inside:
                known = self.rows.get(open_ns)
                added += open_ns not in self.rows or (known is None and values is not None)
                self.rows[open_ns] = known if values is None else values
        return added

    @property
    def broken(self) -> tuple[int, ...]:
        """Opens that were listed, never whole."""
        return tuple(sorted(at for at, values in self.rows.items() if values is None))

    @property
    def holes(self) -> Coverage:
        """What was not listed, and not said to be absent."""
        return subtract((self.span,), normalise((*self._listed, *self.empty)))

    @property
    def _listed(self) -> Coverage:
        return coverage_of(np.array(sorted(self.rows), np.int64), self.interval_ns)

    def judge(self, hole: Span, second: Sequence[Row]) -> bool:
        """Hear another answer, about what opens from a hole's start on; whether it brought anything.

        What it does not list before the last bar that it does list is absent if an answer before listed one as late:
        two answers say so.
        """
        before_ns = max(self.newest_ns, hole.start_ns)
        self.add(second)
        opens = [at for at, _ in second if at >= hole.start_ns]
        if not opens:
            return False
        known = Span(hole.start_ns, min(max(opens), before_ns, hole.end_ns))
        self.empty += subtract((known,), self._listed)
        return True

    def answer(self) -> Answer:
        """All of it."""
        return Answer(self.span, bars_of(self.rows), normalise(self.empty), self.broken)


def bars_of(rows: Mapping[int, Values | None]) -> Bars:
    """The whole rows as bars, in order."""
    whole = sorted((at, values) for at, values in rows.items() if values is not None)
    if not whole:
        return no_bars()
    columns = np.array([values for _, values in whole], np.float64)
    times = np.array([at for at, _ in whole], np.int64)
    return of_values(times, [columns[:, i].copy() for i in range(5)], np.zeros(len(whole), np.uint8))


def values_of(texts: Sequence[object]) -> Values | None:
    """Five numbers of decimal text; None unless each is text of a number, and a bar can have them."""
    return values_of_rows([texts])[0]


def values_of_rows(rows: Sequence[Sequence[object]]) -> list[Values | None]:
    """The same of each row. They are judged as columns: one by one, a page of a thousand costs 30 times as much."""
    found = [_numbers(texts) for texts in rows]
    read = [(at, values) for at, values in enumerate(found) if values is not None]
    if read:
        table = np.array([values for _, values in read], np.float64)
        wrong = ~np.isfinite(table).all(axis=1) | impossible_rows(list(table.T))
        for row in np.flatnonzero(wrong).tolist():
            found[read[row][0]] = None
    return found


def _numbers(texts: Sequence[object]) -> Values | None:
    first, high, low, last, volume = texts
    for text in texts:
        if not isinstance(text, str):
            return None
    try:
        return float(str(first)), float(str(high)), float(str(low)), float(str(last)), float(str(volume))
    except ValueError:
        return None
