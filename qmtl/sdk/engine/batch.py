"""Batch execution: the whole history of every node at once, equal to the streaming engine bit for bit.

Built-ins run the same fold over arrays; custom nodes run the same compute function over slices of the same
aligned rows. There is one thread and no reassociation anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import InvalidRequest
from qmtl.sdk.engine.events import Events, joined
from qmtl.sdk.engine.folds import Folded, run_fold
from qmtl.sdk.engine.series import Outputs, Series
from qmtl.sdk.engine.vertex_runs import call_compute, view_index
from qmtl.sdk.graph.account_state import PositionState
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.vertices import FoldNode, Node, State
from qmtl.sdk.graph.view import CacheView

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qmtl.core.arrays.types import Floats


def run_graph(dag: Dag, known: Mapping[str, Series]) -> Outputs:
    """Every vertex's series, by NodeID. `known`: the sources', and those computed elsewhere from the same data.

    What reads the state of an account has values in step with one only: it is left out, unless that state is known.

    Raises InvalidRequest (E_TAG_QUERY_UNRESOLVED) for a vertex that only a mesh can feed.
    """
    made: dict[str, Series] = {}
    for vertex in dag.nodes:
        if vertex.node_id in known:
            made[vertex.node_id] = known[vertex.node_id]
            continue
        if isinstance(vertex, PositionState) or any(item.node_id not in made for item in vertex.inputs):
            continue
        inputs = [made[item.node_id] for item in vertex.inputs]
        if isinstance(vertex, FoldNode):
            made[vertex.node_id] = _fold(vertex, joined(vertex, inputs))
        elif isinstance(vertex, Node):
            events = joined(vertex, inputs)
            name, end = dag.names[vertex.node_id], len(events.times)
            made[vertex.node_id], _ = compute_series(vertex, name, events, (0, end), vertex.state)
        else:
            name = dag.names[vertex.node_id]
            raise InvalidRequest("E_TAG_QUERY_UNRESOLVED", f"{name}: queues of a tag query are found by a mesh only")
    return Outputs(made)


def compute_series(
    vertex: Node, name: str, events: Events, part: tuple[int, int], state: State | None
) -> tuple[Series, State | None]:
    """What a custom node makes of the events in [first, end), which see those before them, and its state after them."""
    index, period = view_index(vertex), vertex.spec.period
    kept: list[int] = []
    values: list[list[float]] = []
    for at in range(*part):
        views = events.views(vertex, at, period)
        if views is None:
            continue
        value, state = call_compute(vertex, name, CacheView(index, views), state, guarded=True)
        if value is not None:
            kept.append(at)
            values.append(value)
    shaped = np.array(values, dtype=np.float64).reshape(len(values), len(vertex.schema.fields))
    return Series(events.times[kept], shaped), state


def fold_inputs(vertex: FoldNode, events: Events, first: int, end: int) -> Floats:
    """What a fold reads at the events in [first, end), shape (n, inputs)."""
    columns = [events.rows[index][first:end, column] for index, column in vertex.columns]
    if vertex.times is not None:
        columns.append(vertex.times.of(events.times[first:end]))
    if len(columns) == columns[0].ndim == 1:
        return columns[0][:, np.newaxis]
    wide = np.empty((vertex.fold.inputs, end - first)).T  # by columns: array operations read one after another
    at = 0
    for column in columns:
        width = 1 if column.ndim == 1 else column.shape[1]
        wide[:, at : at + width] = column if column.ndim == 2 else column[:, np.newaxis]
        at += width
    return wide


def _fold(vertex: FoldNode, events: Events) -> Series:
    return folded_series(events, run_fold(vertex.fold, fold_inputs(vertex, events, 0, len(events.times))))


def folded_series(events: Events, folded: Folded) -> Series:
    """What a fold made of events, without those at which it has no value."""
    kept = _emitted_rows(folded.emitted)
    if isinstance(kept, slice) and not kept.start:
        return Series(events.times, folded.rows)  # the same times: what is aligned with them need not compare
    return Series(events.times[kept], folded.rows[kept])


def _emitted_rows(emitted: NDArray[np.bool_]) -> NDArray[np.bool_] | slice:
    """Which rows of a fold count: a slice where it warmed up and then always had a value, so that nothing is copied."""
    first = int(emitted.argmax()) if len(emitted) else 0
    return slice(first, None) if emitted[first:].all() and emitted.any() else emitted
