"""Backfill's windows: what is missing, cut along one fixed lattice, so that every process names a piece of it alike.

And how long to wait before a piece is tried again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from qmtl.calendars.spans import Coverage, Span, grid_origin, intersect

ATTEMPTS = 6
FIRST_WAIT_S, WAIT_MAX_S = 0.5, 30.0


@dataclass(frozen=True, slots=True)
class Window:
    """The missing bars between two points of the lattice, by their hull; `number` is the same everywhere."""

    number: int
    span: Span


def windows_of(missing: Coverage, interval_ns: int, bars: int) -> list[Window]:
    """Windows of at most so many bars, in order, each with something missing in it."""
    length_ns = bars * interval_ns
    found: dict[int, Span] = {}
    for span in missing:
        for number in _numbers(span, length_ns, grid_origin(interval_ns)):
            start_ns = grid_origin(interval_ns) + number * length_ns
            (part,) = intersect((span,), (Span(start_ns, start_ns + length_ns),))
            first = found.get(number, part)
            found[number] = Span(first.start_ns, part.end_ns)
    return [Window(number, span) for number, span in sorted(found.items())]


def _numbers(span: Span, length_ns: int, origin_ns: int) -> Iterator[int]:
    yield from range((span.start_ns - origin_ns) // length_ns, -((origin_ns - span.end_ns) // length_ns))


def wait_s(attempt: int, random: Random) -> float:
    """The pause after an attempt, counted from 1: twice as long each time, and somewhere in its upper half."""
    whole = min(FIRST_WAIT_S * 2 ** (attempt - 1), WAIT_MAX_S)
    return random.uniform(whole / 2, whole)
