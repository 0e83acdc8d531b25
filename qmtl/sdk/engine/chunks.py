"""Chunked execution: a graph fed many instants at a time, each vertex with the state it had after those before.

Its values are those of the batch and of the streaming form; its memory is one chunk, the states, and of the rows before
as many as a vertex can still see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qmtl.sdk.engine.batch import compute_series, fold_inputs, folded_series
from qmtl.sdk.engine.events import Events, joined
from qmtl.sdk.engine.folds import run_fold
from qmtl.sdk.engine.series import Series, followed
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.joins import Join
from qmtl.sdk.graph.vertices import FoldNode, Node, State, StreamInput, Vertex


class ChunkRun:
    """A graph in motion. `of` makes one, or None for a graph that has to be run event by event. What reads the state of
    an account is left out, as it is in batch.
    """

    def __init__(self, dag: Dag) -> None:
        apart = dag.on_state
        self._names = dag.names
        self._vertices = [one for one in dag.nodes if one.node_id not in apart]
        self._states: dict[str, list[float] | None] = {}
        self._own: dict[str, State | None] = {}  # the states that custom nodes keep themselves
        self._events: dict[str, Events] = {}  # of a custom node, those that its windows reach back to
        self._inputs: dict[str, list[Series]] = {}  # of a vertex that joins as of event time, the rows it may still see
        self._fed: dict[str, int] = {source.node_id: 0 for source in dag.sources}
        self._until_ns = -(2**63)

    @classmethod
    def of(cls, dag: Dag) -> ChunkRun | None:
        """A run of the graph; None where a vertex waits for the last of its inputs (Join.WAIT) or is fed by a mesh."""
        run = cls(dag)
        return run if all(map(_is_chunked, run._vertices)) else None

    def feed(self, known: Mapping[str, Series], until_ns: int) -> dict[str, Series]:
        """What follows from the rows of all sources up to an instant that were not fed yet, by NodeID."""
        made: dict[str, Series] = {}
        for vertex in self._vertices:
            if isinstance(vertex, (FoldNode, Node)):
                inputs = [made[item.node_id] for item in vertex.inputs]
                run = self._fold if isinstance(vertex, FoldNode) else self._compute
                made[vertex.node_id] = run(vertex, self._events_of(vertex, inputs))  # type: ignore[arg-type]
                continue
            series, begin = known[vertex.node_id], self._fed[vertex.node_id]
            end = self._fed[vertex.node_id] = int(np.searchsorted(series.time_ns, until_ns, side="right"))
            made[vertex.node_id] = Series(series.time_ns[begin:end], series.rows[begin:end])
        self._until_ns = until_ns
        return made

    def _events_of(self, vertex: FoldNode | Node, inputs: Sequence[Series]) -> Events:
        """The events that a vertex has in this chunk."""
        if vertex.joining is None:
            return joined(vertex, inputs)
        before = self._inputs.get(vertex.node_id)
        whole = inputs if before is None else [followed(pair) for pair in zip(before, inputs, strict=True)]
        seen = [
            vertex.spec.period if isinstance(vertex, Node) and not drives else 1 for drives in vertex.joining.drives
        ]
        self._inputs[vertex.node_id] = [one.newest(rows) for one, rows in zip(whole, seen, strict=True)]
        return joined(vertex, whole).after(self._until_ns)

    def _fold(self, vertex: FoldNode, events: Events) -> Series:
        folded = run_fold(
            vertex.fold, fold_inputs(vertex, events, 0, len(events.times)), self._states.get(vertex.node_id)
        )
        self._states[vertex.node_id] = folded.state
        return folded_series(events, folded)

    def _compute(self, vertex: Node, events: Events) -> Series:
        before = self._events.get(vertex.node_id)
        whole = events if before is None else before.followed_by(events)
        self._events[vertex.node_id] = whole.newest(vertex.spec.period - 1)
        end = len(whole.times)
        name, part = self._names[vertex.node_id], (end - len(events.times), end)
        state = self._own.get(vertex.node_id, vertex.state)
        series, self._own[vertex.node_id] = compute_series(vertex, name, whole, part, state)
        return series


def _is_chunked(vertex: Vertex) -> bool:
    waits = vertex.joining is not None and vertex.joining.rule is Join.WAIT
    return isinstance(vertex, (StreamInput, FoldNode, Node)) and not waits
