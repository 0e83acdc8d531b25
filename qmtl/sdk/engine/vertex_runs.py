"""How one vertex runs event by event: align its inputs, keep its bounded state, make its value.

A run is fed every row its inputs emit and answers with a row or None. Its state is plain numbers, so the
engine can save it after any committed bucket and another process can go on from there with equal bits.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from contextlib import nullcontext
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from qmtl.core.errors import InvalidRequest
from qmtl.core.identity.canonical import Json
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.sdk.engine.folds import FoldState
from qmtl.sdk.engine.ring import Ring
from qmtl.sdk.engine.saved_state import Row, bad_state, state_list, state_number, state_numbers
from qmtl.sdk.engine.wall_clock import no_wall_clock
from qmtl.sdk.graph.schemas import Schema
from qmtl.sdk.graph.vertices import FoldNode, Node, State, Vertex
from qmtl.sdk.graph.view import CacheView, NodeView


class Run(Protocol):
    """A vertex in motion."""

    def observe(self, time_ns: int, index: int, row: Row) -> None:
        """A value of a slower input, which makes no event of its own."""

    def step(self, time_ns: int, rows: Sequence[Row]) -> Row | None:
        """One joined event: a row per input. The value it makes, or None."""

    def save(self) -> Json:
        """State as JSON, exact for every float."""

    def load(self, state: Json) -> None:
        """Take over a saved state."""


class FoldRun:
    """A built-in."""

    def __init__(self, vertex: FoldNode) -> None:
        self._columns = vertex.columns
        self._fold = vertex.fold
        self._times = vertex.times
        self._state = FoldState(vertex.fold)

    def observe(self, time_ns: int, index: int, row: Row) -> None:
        """A fold reads what is newest at its events."""

    def step(self, time_ns: int, rows: Sequence[Row]) -> Row | None:
        x = [rows[index][column] for index, column in self._columns]
        if self._times is not None:
            x += self._times.of(np.array([time_ns], dtype=np.int64))[0].tolist()
        return self._state.advance(x)

    def save(self) -> Json:
        return list(self._state.values)

    def load(self, state: Json) -> None:
        self._state = FoldState(self._fold, state_numbers(state))


class ComputeRun:
    """A custom node: its compute function over rings of aligned input rows."""

    def __init__(self, vertex: Node, name: str, guarded: bool) -> None:
        self._vertex = vertex
        self._name = name
        self._guarded = guarded
        self._rings = [Ring(vertex.spec.period, len(item.schema.fields)) for item in vertex.inputs]
        self._drives = vertex.joining.drives if vertex.joining else (True,) * len(vertex.inputs)
        self._index = view_index(vertex)
        self._state = vertex.state

    def observe(self, time_ns: int, index: int, row: Row) -> None:
        self._rings[index].push(time_ns, row)

    def step(self, time_ns: int, rows: Sequence[Row]) -> Row | None:
        for ring, row, drives in zip(self._rings, rows, self._drives, strict=True):
            if drives:
                ring.push(time_ns, row)
        if not all(ring.full for ring in self._rings):
            return None
        views = [
            NodeView(item.schema, r.times(), r.rows()) for item, r in zip(self._vertex.inputs, self._rings, strict=True)
        ]
        view = CacheView(self._index, views)
        made, self._state = call_compute(self._vertex, self._name, view, self._state, guarded=self._guarded)
        return made

    def save(self) -> Json:
        rings: list[Json] = [[ring.times().tolist(), ring.rows().tolist()] for ring in self._rings]
        return rings if self._state is None else [*rings, list(self._state)]

    def load(self, state: Json) -> None:
        own = self._vertex.state
        if not isinstance(state, list) or len(state) != len(self._vertex.inputs) + (own is not None):
            raise bad_state(self._name)
        if own is not None:
            *state, numbers = state
            self._state = tuple(state_numbers(numbers))
            if len(self._state) != len(own):
                raise bad_state(self._name)
        self._rings = [Ring(self._vertex.spec.period, len(item.schema.fields)) for item in self._vertex.inputs]
        for ring, saved in zip(self._rings, state, strict=True):
            times, rows = state_list(saved)
            for time_ns, row in zip(state_list(times), state_list(rows), strict=True):
                ring.push(int(state_number(time_ns)), state_numbers(row))


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


def call_compute(
    vertex: Node, name: str, view: CacheView, state: State | None, *, guarded: bool
) -> tuple[Row | None, State | None]:
    """Run a compute function, with its state where it has one, and check what it returns: a row and the state after it.

    Raises InvalidRequest (E_NODE_VALUE, E_WALL_CLOCK).
    """
    made: Any
    with _ErrorNote(name, view), no_wall_clock(name) if guarded else nullcontext():
        made = vertex.compute(view) if state is None else vertex.compute(state, view)  # type: ignore[call-arg,arg-type]  # by what it is
    if state is not None:
        made, state = _with_state(made, len(state), name)
    return None if made is None else _checked(made, vertex.schema, name), state


def _with_state(made: object, size: int, name: str) -> tuple[Any, State]:
    """The value and the state that a step returned."""
    numbers, value = made if isinstance(made, tuple) and len(made) == 2 else ((), None)
    try:
        fits = len(numbers) == size and all(map(math.isfinite, numbers))  # float() reads texts too
    except (TypeError, OverflowError):
        fits = False
    if not fits:
        want = f"(state, value) with a state of {size} finite numbers"
        raise InvalidRequest("E_NODE_VALUE", f"node {name} returned {made!r:.100}, want {want}")
    return value, tuple(map(float, numbers))


class _ErrorNote:
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
            last = max(self._view[i].time_ns for i in range(len(self._view)))
            error.add_note(f"in node {self._name} at {timestamp_text(from_ns(last))}")


def _checked(value: float | Sequence[float], schema: Schema, name: str) -> Row:
    row = [float(item) for item in value] if isinstance(value, Sequence) else [float(value)]
    if len(row) != len(schema.fields):
        raise InvalidRequest("E_NODE_VALUE", f"node {name} returned {len(row)} numbers, want {len(schema.fields)}")
    if not all(math.isfinite(item) for item in row):
        raise InvalidRequest(
            "E_NODE_VALUE", f"node {name} returned {row}, want finite numbers", hint="return None for no value"
        )
    return row
