"""Batch execution: the whole history of every node at once, equal to the streaming engine bit for bit.

Built-ins run the same fold over arrays; custom nodes run the same compute function over slices of the same
aligned rows. There is one thread and no reassociation anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qmtl.core.errors import InvalidRequest
from qmtl.sdk.engine.folds import run_fold
from qmtl.sdk.engine.series import Outputs, Series
from qmtl.sdk.engine.vertex_runs import call_compute, view_index
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.vertices import FoldNode, Node
from qmtl.sdk.graph.view import CacheView, NodeView

if TYPE_CHECKING:
    from qmtl.core.arrays import Floats, Times


def run_graph(dag: Dag, known: Mapping[str, Series]) -> Outputs:
    """Every vertex's series, by NodeID. `known`: the sources', and those computed elsewhere from the same data.

    Raises InvalidRequest (E_TAG_QUERY_UNRESOLVED) for a vertex that only a mesh can feed.
    """
    made: dict[str, Series] = {}
    for vertex in dag.nodes:
        if vertex.node_id in known:
            made[vertex.node_id] = known[vertex.node_id]
            continue
        inputs = [made[item.node_id] for item in vertex.inputs]
        if isinstance(vertex, FoldNode):
            made[vertex.node_id] = _fold(vertex, inputs)
        elif isinstance(vertex, Node):
            made[vertex.node_id] = compute_series(vertex, dag.names[vertex.node_id], *aligned(inputs))
        else:
            name = dag.names[vertex.node_id]
            raise InvalidRequest("E_TAG_QUERY_UNRESOLVED", f"{name}: queues of a tag query are found by a mesh only")
    return Outputs(made)


def compute_series(vertex: Node, name: str, times: Times, rows: Sequence[Floats]) -> Series:
    """A custom node over aligned rows of its inputs."""
    index, period = view_index(vertex), vertex.spec.period
    kept: list[int] = []
    values: list[list[float]] = []
    for end in range(period, len(times) + 1):
        span = slice(end - period, end)
        views = [NodeView(item.schema, times[span], r[span]) for item, r in zip(vertex.inputs, rows, strict=True)]
        value = call_compute(vertex, name, CacheView(index, views), guarded=True)
        if value is not None:
            kept.append(end - 1)
            values.append(value)
    shaped = np.array(values, dtype=np.float64).reshape(len(values), len(vertex.schema.fields))
    return Series(times[kept], shaped)


def aligned(inputs: Sequence[Series]) -> tuple[Times, list[Floats]]:
    """Rows of the instants at which every input has a value."""
    shortest = min(inputs, key=len).time_ns
    if all(_ends_with(series.time_ns, shortest) for series in inputs):  # inputs that differ in their warm-up only
        return shortest, [series.rows[len(series) - len(shortest) :] for series in inputs]
    times: NDArray[np.int64] = reduce(np.intersect1d, [series.time_ns for series in inputs])
    return times, [series.rows[np.searchsorted(series.time_ns, times)] for series in inputs]


def _ends_with(times: Times, last: Times) -> bool:
    return times is last or np.array_equal(times[len(times) - len(last) :], last)


def _fold(vertex: FoldNode, inputs: Sequence[Series]) -> Series:
    times, rows = aligned(inputs)
    xs = np.column_stack([rows[index][:, column] for index, column in vertex.columns])
    folded = run_fold(vertex.fold, xs)
    return Series(times[folded.emitted], folded.rows[folded.emitted])
