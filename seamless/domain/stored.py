"""What storage knows of a dataset: what was read, what is there, and what a source said about the rest.

Later statements win, bar by bar. A source that no longer has a bar does not take it away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qmtl.calendars.spans import Coverage, Span, floor_to, intersect, normalise, subtract, union
from qmtl.core.errors import refused
from seamless.domain.bars import Bars, RowFlag, coverage_of, no_bars, of_values


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who gave bars, what it said about those it did not give (nothing traded, or it was down), and which of those it
    gave it may still revise.
    """

    producer: str
    empty: Coverage = ()
    outage: Coverage = ()
    unsettled: Coverage = ()


@dataclass(frozen=True, slots=True)
class StoredCoverage:
    """Spans of a dataset: asked for and answered, there, stated empty or down, and `unsettled`, there as the newest
    that the source had and not asked for again since. `version` grows with each write.
    """

    read: Coverage = ()
    have: Coverage = ()
    empty: Coverage = ()
    outage: Coverage = ()
    unsettled: Coverage = ()
    version: int = 0


def check_delivery(bars: Bars, span: Span, interval_ns: int, provenance: Provenance) -> None:
    """Raises InvalidRequest (E_RANGE, E_BARS) unless the bars are distinct, in order, on the grid and inside the span,
    and so are the spans that the source spoke of, apart from the bars.
    """
    edges = [span, *provenance.empty, *provenance.outage, *provenance.unsettled]
    off = [edge for one in edges for edge in (one.start_ns, one.end_ns) if floor_to(edge, interval_ns) != edge]
    if off or span.empty:
        raise refused("E_RANGE", "span", off[0] if off else "empty", f"edges on the grid of {interval_ns} ns")
    times = bars.time_ns
    if len(bars) and bool(np.any(np.diff(times) <= 0) or np.any((times - span.start_ns) % interval_ns != 0)):
        raise refused("E_BARS", "bars", "unordered, repeated or off the grid", "one bar for each open, in order")
    have = coverage_of(times, interval_ns)
    whole = (span,)
    said = (("empty", provenance.empty), ("outage", provenance.outage), ("unsettled", provenance.unsettled))
    for name, told in (("bars", have), *said):
        if subtract(normalise(told), whole):
            raise refused("E_RANGE", name, "outside the span", "inside the span that was read")
    if intersect(have, normalise((*provenance.empty, *provenance.outage))):
        raise refused("E_RANGE", "empty, outage", "a span with bars", "spans without bars")


def with_delivery(known: StoredCoverage, have: Coverage, span: Span, provenance: Provenance) -> StoredCoverage:
    """What is known after a source answered for a span. The newest word about a missing bar is the one that counts."""
    there = union(known.have, have)
    empty = subtract(union(subtract(known.empty, (span,)), normalise(provenance.empty)), there)
    outage = subtract(union(subtract(known.outage, (span,)), normalise(provenance.outage)), union(there, empty))
    unsettled = union(subtract(known.unsettled, (span,)), intersect(normalise(provenance.unsettled), have))
    return StoredCoverage(union(known.read, (span,)), there, empty, outage, unsettled, known.version)


def layered(parts: Sequence[Bars]) -> Bars:
    """Parts one over the other: of bars with one open the last counts, flagged REVISED if any differed.

    Grouping does not matter: what two parts give, over a third, is what all three give.
    """
    if len(parts) < 2:
        return parts[0] if parts else no_bars()
    times, *values, flags = (np.concatenate(column) for column in zip(*(part.columns() for part in parts), strict=True))
    order = np.argsort(times, kind="stable")
    times, values, flags = times[order], [column[order] for column in values], flags[order]
    first = np.concatenate(([True], times[1:] != times[:-1]))
    if first.all():
        return of_values(times, values, flags)
    differs = np.zeros(times.size, np.bool_)
    for column in values:
        differs[1:] |= (column[1:] != column[:-1]) & ~first[1:]
    starts = np.flatnonzero(first)
    marks = np.bitwise_or.reduceat(np.where(differs, flags | np.uint8(RowFlag.REVISED), flags).astype(np.uint8), starts)
    last = np.concatenate((starts[1:], [times.size])) - 1
    return of_values(times[last], [column[last] for column in values], marks)
