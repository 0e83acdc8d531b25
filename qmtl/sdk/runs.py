"""How one vertex runs event by event: align its inputs, keep its bounded state, make its value.

A run is fed every row its inputs emit and answers with a row or None. Its state is plain numbers, so the
engine can save it after any committed bucket and another process can go on from there with equal bits.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from contextlib import nullcontext
from types import TracebackType
from typing import Protocol

from qmtl.core.errors import InvalidRequest
from qmtl.core.identity import Json
from qmtl.sdk.folds import FoldState
from qmtl.sdk.guard import no_wall_clock
from qmtl.sdk.nodes import FoldNode, Node, Vertex
from qmtl.sdk.view import CacheView, NodeView, Ring
from qmtl.sdk.words import Schema

PENDING_MAX = 10_000
"""Rows a node waits with for its other inputs; beyond it the oldest is given up, as a gap would be."""

Row = list[float]


class Run(Protocol):
    """A vertex in motion."""

    def step(self, time_ns: int, rows: Sequence[Row]) -> Row | None:
        """One aligned event: a row per input. The value it makes, or None."""

    def save(self) -> Json:
        """State as JSON, exact for every float."""

    def load(self, state: Json) -> None:
        """Take over a saved state."""


class FoldRun:
    """A built-in."""

    def __init__(self, vertex: FoldNode) -> None:
        self._columns = vertex.columns
        self._fold = vertex.fold
        self._state = FoldState(vertex.fold)

    def step(self, time_ns: int, rows: Sequence[Row]) -> Row | None:
        return self._state.advance([rows[index][column] for index, column in self._columns])

    def save(self) -> Json:
        return list(self._state.values)

    def load(self, state: Json) -> None:
        self._state = FoldState(self._fold, _numbers(state))


class ComputeRun:
    """A custom node: its compute function over rings of aligned input rows."""

    def __init__(self, vertex: Node, name: str, guarded: bool) -> None:
        self._vertex = vertex
        self._name = name
        self._guarded = guarded
        self._rings = [Ring(vertex.spec.period, len(item.schema.fields)) for item in vertex.inputs]
        self._index = view_index(vertex)

    def step(self, time_ns: int, rows: Sequence[Row]) -> Row | None:
        for ring, row in zip(self._rings, rows, strict=True):
            ring.push(time_ns, row)
        if not self._rings[0].full:
            return None
        views = [
            NodeView(item.schema, r.times(), r.rows()) for item, r in zip(self._vertex.inputs, self._rings, strict=True)
        ]
        return call_compute(self._vertex, self._name, CacheView(self._index, views), self._guarded)

    def save(self) -> Json:
        return {"times": self._rings[0].times().tolist(), "rows": [ring.rows().tolist() for ring in self._rings]}

    def load(self, state: Json) -> None:
        if not isinstance(state, Mapping):
            raise _bad_state(self._name)
        self._rings = [Ring(self._vertex.spec.period, len(item.schema.fields)) for item in self._vertex.inputs]
        for ring, rows in zip(self._rings, _list(state["rows"]), strict=True):
            for time_ns, row in zip(_list(state["times"]), _list(rows), strict=True):
                ring.push(int(_number(time_ns)), _numbers(row))


class Aligner:
    """Inner join by event time: an event is complete once every input has a row of the same time."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._pending: dict[int, list[Row | None]] = {}

    def offer(self, time_ns: int, fresh: Sequence[tuple[int, Row]]) -> list[Row] | None:
        """Take rows of some inputs; all rows of the event if that completes it."""
        if len(fresh) == self._width:
            self.forget(time_ns)
            return [row for _, row in fresh]
        slots = self._pending.setdefault(time_ns, [None] * self._width)
        for index, row in fresh:
            slots[index] = row
        rows = [row for row in slots if row is not None]
        if len(rows) == self._width:
            self.forget(time_ns)
            return rows
        if len(self._pending) > PENDING_MAX:
            del self._pending[min(self._pending)]
        return None

    def forget(self, time_ns: int) -> None:
        """Give up events up to `time_ns`: inputs come in order, so none of them can complete any more."""
        for key in [key for key in self._pending if key <= time_ns]:
            del self._pending[key]

    def save(self) -> Json:
        return [
            [key, [list(row) if row is not None else None for row in slots]] for key, slots in self._pending.items()
        ]

    def load(self, state: Json) -> None:
        self._pending = {}
        for entry in _list(state):
            key, slots = _list(entry)
            self._pending[int(_number(key))] = [None if row is None else _numbers(row) for row in _list(slots)]


def run_of(vertex: Vertex, name: str, guarded: bool) -> Run | None:
    """The run of a vertex; None for a source."""
    if isinstance(vertex, FoldNode):
        return FoldRun(vertex)
    return ComputeRun(vertex, name, guarded) if isinstance(vertex, Node) else None


def view_index(vertex: Node) -> dict[Hashable, int]:
    """How a compute function may name its inputs: by vertex, name or position."""
    index: dict[Hashable, int] = {}
    for i, (name, item) in enumerate(zip(vertex.input_names, vertex.inputs, strict=True)):
        index |= {item: i, name: i, i: i}
    return index


def call_compute(vertex: Node, name: str, view: CacheView, guarded: bool) -> Row | None:
    """Run a compute function and check what it returns. Raises InvalidRequest (E_NODE_VALUE, E_WALL_CLOCK)."""
    with _Noted(name, view), no_wall_clock(name) if guarded else nullcontext():
        value = vertex.compute(view)
    return None if value is None else _checked(value, vertex.schema, name)


class _Noted:
    """Adds to an error which node raised it, and at which event."""

    __slots__ = ("_name", "_view")

    def __init__(self, name: str, view: CacheView) -> None:
        self._name = name
        self._view = view

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"in node {self._name} at {self._view[0].time_ns}")


def _checked(value: float | Sequence[float], schema: Schema, name: str) -> Row:
    row = [float(item) for item in value] if isinstance(value, Sequence) else [float(value)]
    if len(row) != len(schema.fields):
        raise InvalidRequest("E_NODE_VALUE", f"node {name} returned {len(row)} numbers, want {len(schema.fields)}")
    if not all(math.isfinite(item) for item in row):
        raise InvalidRequest(
            "E_NODE_VALUE", f"node {name} returned {row}, want finite numbers", hint="return None for no value"
        )
    return row


def _list(state: Json) -> list[Json]:
    if not isinstance(state, list):
        raise _bad_state("a node")
    return state


def _number(state: Json) -> float | int:
    if isinstance(state, bool) or not isinstance(state, int | float):
        raise _bad_state("a node")
    return state


def _numbers(state: Json) -> Row:
    return [float(_number(item)) for item in _list(state)]


def _bad_state(name: str) -> InvalidRequest:
    return InvalidRequest("E_NODE_STATE", f"saved state of {name} does not fit the node", hint="recompute from history")
