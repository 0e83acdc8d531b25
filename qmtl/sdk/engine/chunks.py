"""Chunked execution: a graph of folds fed many instants at a time, each fold with the state it had after those before.

Its values are those of the batch and of the streaming form; its memory is one chunk and the states.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qmtl.sdk.engine.batch import emitted_rows, fold_inputs
from qmtl.sdk.engine.events import joined
from qmtl.sdk.engine.folds import run_fold
from qmtl.sdk.engine.series import Series
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.vertices import FoldNode, StreamInput


class ChunkRun:
    """A graph in motion. `of` makes one, or None for a graph with other nodes than folds over joined events."""

    def __init__(self, dag: Dag) -> None:
        self._dag = dag
        self._states: dict[str, list[float] | None] = {}
        self._fed: dict[str, int] = {source.node_id: 0 for source in dag.sources}

    @classmethod
    def of(cls, dag: Dag) -> ChunkRun | None:
        """A run of the graph; None where it has other nodes."""
        plain = all(
            isinstance(one, StreamInput) or (isinstance(one, FoldNode) and one.joining is None) for one in dag.nodes
        )
        return cls(dag) if plain else None

    def feed(self, known: Mapping[str, Series], until_ns: int) -> dict[str, Series]:
        """What follows from the rows of all sources up to an instant that were not fed yet, by NodeID."""
        made: dict[str, Series] = {}
        for vertex in self._dag.nodes:
            if isinstance(vertex, FoldNode):
                made[vertex.node_id] = self._fold(vertex, [made[item.node_id] for item in vertex.inputs])
                continue
            series, begin = known[vertex.node_id], self._fed[vertex.node_id]
            end = self._fed[vertex.node_id] = int(np.searchsorted(series.time_ns, until_ns, side="right"))
            made[vertex.node_id] = Series(series.time_ns[begin:end], series.rows[begin:end])
        return made

    def _fold(self, vertex: FoldNode, inputs: list[Series]) -> Series:
        events = joined(vertex, inputs)
        folded = run_fold(
            vertex.fold, fold_inputs(vertex, events, 0, len(events.times)), self._states.get(vertex.node_id)
        )
        self._states[vertex.node_id] = folded.state
        kept = emitted_rows(folded.emitted)
        return Series(events.times[kept], folded.rows[kept])
