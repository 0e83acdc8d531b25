"""Span algebra on the interval grid: what is there, what is expected, what is missing.

A span is half open, `[start, end)`, in nanoseconds; a coverage is a sorted tuple of disjoint spans
that do not touch, so equal sets are equal values. Every function is linear in the spans it is given.
"""

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple, Self

_DAY_NS = 86_400_000_000_000
_WEEK_NS = 7 * _DAY_NS
_MONDAY_NS = 4 * _DAY_NS


class _Bounds(NamedTuple):
    start_ns: int
    end_ns: int


class Span(_Bounds):
    """The half-open range `[start_ns, end_ns)`. A tuple, as a dataset has thousands."""

    __slots__ = ()

    def __new__(cls, start_ns: int, end_ns: int) -> Self:
        if end_ns < start_ns:
            raise ValueError(f"span ends at {end_ns} before it starts at {start_ns}")
        return super().__new__(cls, start_ns, end_ns)

    @property
    def empty(self) -> bool:
        return self.start_ns == self.end_ns

    def bars(self, interval_ns: int) -> int:
        """How many bars the span holds on its grid."""
        return (self.end_ns - self.start_ns) // interval_ns


Coverage = tuple[Span, ...]
_unchecked = partial(tuple.__new__, Span)  # half of what `_make` costs, which is Python


def as_stored(pairs: Iterable[tuple[int, int]]) -> Coverage:
    """Starts and ends that were a coverage before, as one again; they are not checked."""
    return tuple(map(_unchecked, pairs))


def normalise(spans: Iterable[Span]) -> Coverage:
    """Sort, drop the empty, merge what overlaps or touches."""
    merged: list[Span] = []
    for span in sorted((s for s in spans if s.start_ns < s.end_ns), key=_start):
        if merged and span.start_ns <= merged[-1].end_ns:
            merged[-1] = Span(merged[-1].start_ns, max(merged[-1].end_ns, span.end_ns))
        else:
            merged.append(span)
    return tuple(merged)


def union(a: Coverage, b: Coverage) -> Coverage:
    """What either has."""
    return normalise((*a, *b))


def intersect(a: Coverage, b: Coverage) -> Coverage:
    """What both have."""
    found: list[Span] = []
    i = j = 0
    while i < len(a) and j < len(b):
        start, end = max(a[i].start_ns, b[j].start_ns), min(a[i].end_ns, b[j].end_ns)
        if start < end:
            found.append(Span(start, end))
        if a[i].end_ns <= b[j].end_ns:
            i += 1
        else:
            j += 1
    return tuple(found)


def subtract(a: Coverage, b: Coverage) -> Coverage:
    """What `a` has and `b` does not."""
    left: list[Span] = []
    j = 0
    for span in a:
        start = span.start_ns
        while j < len(b) and b[j].end_ns <= start:
            j += 1
        k = j
        while k < len(b) and b[k].start_ns < span.end_ns:
            if b[k].start_ns > start:
                left.append(Span(start, b[k].start_ns))
            start = max(start, b[k].end_ns)
            k += 1
        if start < span.end_ns:
            left.append(Span(start, span.end_ns))
    return tuple(left)


def missing(expected: Coverage, have: Coverage) -> Coverage:
    """What the calendar expects and nobody delivered."""
    return subtract(expected, have)


def bars(coverage: Coverage, interval_ns: int) -> int:
    """How many bars a coverage holds."""
    return sum(span.bars(interval_ns) for span in coverage)


def ratio(have: Coverage, expected: Coverage, interval_ns: int) -> float:
    """Share of the expected bars that are there; one when nothing is expected."""
    wanted = bars(expected, interval_ns)
    return bars(intersect(have, expected), interval_ns) / wanted if wanted else 1.0


def _start(span: Span) -> int:
    return span.start_ns


def floor_to(instant_ns: int, interval_ns: int) -> int:
    """The newest grid point at or before an instant."""
    return instant_ns - (instant_ns - grid_origin(interval_ns)) % interval_ns


def ceil_to(instant_ns: int, interval_ns: int) -> int:
    """The oldest grid point at or after an instant."""
    return floor_to(instant_ns + interval_ns - 1, interval_ns)


def grid_origin(interval_ns: int) -> int:
    """Where the grid starts: the epoch, but Monday 1970-01-05 for weeks, as venues count them."""
    return _MONDAY_NS if interval_ns % _WEEK_NS == 0 else 0
