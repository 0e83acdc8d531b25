"""The events of a vertex over whole series: the instants at which it has inputs, and what it sees at each.

The batch form of what the streaming engine's aligner and joiner do row by row.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qmtl.core.arrays.merging import merged_times
from qmtl.sdk.engine.series import Series
from qmtl.sdk.graph.joins import Join, Joining
from qmtl.sdk.graph.vertices import Node, Vertex
from qmtl.sdk.graph.view import NodeArrays, NodeView

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times

Indexes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Slower:
    """An input that makes no events: its own series, and the row of it that is newest at each event."""

    series: Series
    newest: Indexes


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """`times` (n,) of the events, and of each input (n, fields) its rows at them; `slower`: None for what drives."""

    times: Times
    rows: Sequence[Floats]
    slower: Sequence[Slower | None]

    def views(self, vertex: Node, at: int, period: int) -> list[NodeView] | None:
        """Windows of `period` rows of an input at an event, a slower input's of its own; None: fewer are there."""
        found: list[NodeView] = []
        for item, rows, slower in zip(vertex.inputs, self.rows, self.slower, strict=True):
            times, end = (self.times, at + 1) if slower is None else (slower.series.time_ns, int(slower.newest[at]) + 1)
            if end < period:
                return None
            rows = rows if slower is None else slower.series.rows
            found.append(NodeView(item.schema, times[end - period : end], rows[end - period : end]))
        return found

    def arrays(self, vertex: Node, part: tuple[int, int]) -> tuple[int, list[NodeArrays]]:
        """The first event of [first, end) at which every window is there, and each input from it to the end."""
        first, end = part
        period, begin = vertex.spec.period, max(first, vertex.spec.period - 1)
        for slower in self.slower:
            if slower is not None:
                begin = max(begin, first + int(np.searchsorted(slower.newest[first:end], period - 1)))
        found: list[NodeArrays] = []
        for item, rows, slower in zip(vertex.inputs, self.rows, self.slower, strict=True):
            series = (self.times, rows) if slower is None else (slower.series.time_ns, slower.series.rows)
            ends = slice(begin, max(begin, end)) if slower is None else slower.newest[begin:end]
            found.append(NodeArrays(item.schema, series, ends, period))
        return begin, found

    def bytes_of(self, first: int, end: int) -> bytes:
        """Everything that the events in [first, end) are the first to see."""
        parts: list[Indexes | Floats] = [self.times[first:end], *(rows[first:end] for rows in self.rows)]
        for slower in self.slower:
            if slower is not None and first < end:
                span = slice(int(slower.newest[first - 1]) + 1 if first else 0, int(slower.newest[end - 1]) + 1)
                parts += [slower.series.time_ns[span], slower.series.rows[span]]
        return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)

    def after(self, time_ns: int) -> Events:
        """Those after an instant."""
        return self._from(int(np.searchsorted(self.times, time_ns, side="right")))

    def newest(self, count: int) -> Events:
        """The last so many, or all there are."""
        return self._from(max(len(self.times) - count, 0))

    def followed_by(self, later: Events) -> Events:
        """These and later ones, which say what slower inputs they see; of these that is not asked any more."""
        unseen = np.zeros(len(self.times), dtype=np.int64)
        slower = [one and replace(one, newest=np.concatenate([unseen, one.newest])) for one in later.slower]
        rows = [np.concatenate(pair) for pair in zip(self.rows, later.rows, strict=True)]
        return Events(np.concatenate([self.times, later.times]), rows, slower)

    def _from(self, begin: int) -> Events:
        slower = [one and replace(one, newest=one.newest[begin:]) for one in self.slower]
        return Events(self.times[begin:], [rows[begin:] for rows in self.rows], slower)


def joined(vertex: Vertex, inputs: Sequence[Series]) -> Events:
    """The events that a vertex has in the series of its inputs."""
    if vertex.joining is None:
        times, rows = aligned(inputs)
        return Events(times, rows, [None] * len(rows))
    times = _event_times(vertex.joining, inputs)
    newest = [np.searchsorted(series.time_ns, times, side="right") - 1 for series in inputs]
    known = np.all([index >= 0 for index in newest], axis=0)
    times, newest = times[known], [index[known] for index in newest]
    slower = [
        None if drives else Slower(series, index)
        for drives, series, index in zip(vertex.joining.drives, inputs, newest, strict=True)
    ]
    return Events(times, [series.rows[index] for series, index in zip(inputs, newest, strict=True)], slower)


def aligned(inputs: Sequence[Series]) -> tuple[Times, list[Floats]]:
    """Rows of the instants at which every input has a value."""
    shortest = min(inputs, key=len).time_ns
    if all(_ends_with(series.time_ns, shortest) for series in inputs):  # inputs that differ in their warm-up only
        return shortest, [series.rows[len(series) - len(shortest) :] for series in inputs]
    times = _common([series.time_ns for series in inputs])
    return times, [series.rows[np.searchsorted(series.time_ns, times)] for series in inputs]


def _event_times(joining: Joining, inputs: Sequence[Series]) -> Times:
    """The instants at which the inputs that drive make an event, also where another has no value yet."""
    driving = [series.time_ns for series, drives in zip(inputs, joining.drives, strict=True) if drives]
    if joining.rule is Join.WAIT:
        return _refresh_times(driving, max((int(s.time_ns[0]) if len(s) else 2**63 - 1) for s in inputs))
    if joining.rule is Join.AS_OF:
        return merged_times(driving)
    return _common(driving)


def _refresh_times(driving: Sequence[Times], known_ns: int) -> Times:
    """Each time the last of the inputs to come again has come; what came before every input was known counts once."""
    columns, found, after = [times.tolist() for times in driving], list[int](), -(2**63)
    while True:
        at = [bisect_right(times, after) for times in columns]
        if any(index == len(times) for index, times in zip(at, columns, strict=True)):
            return np.array(found, dtype=np.int64)
        after = max(times[index] for index, times in zip(at, columns, strict=True))
        if after < known_ns:
            later = [times[bisect_right(times, known_ns - 1) :] for times in columns]
            if not any(later):
                return np.array(found, dtype=np.int64)
            after = min(times[0] for times in later if times)
        found.append(after)


def _common(times: Sequence[Times]) -> Times:
    return reduce(partial(np.intersect1d, assume_unique=True), times)


def _ends_with(times: Times, last: Times) -> bool:
    return times is last or np.array_equal(times[len(times) - len(last) :], last)
