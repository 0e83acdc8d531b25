"""Bars of several sources as one sequence of events, by close time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.binding import bind
from qmtl.sdk.engine.series import Outputs, Series
from qmtl.sdk.engine.streaming import StreamEngine
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.vertices import StreamInput


def stream_outputs(dag: Dag, data: Bars | Iterable[Bars]) -> Outputs:
    """Every vertex's series, made by the streaming engine event by event."""
    engine = StreamEngine(dag)
    made: dict[str, tuple[list[int], list[Sequence[float]]]] = {v.node_id: ([], []) for v in dag.nodes}
    for time_ns, source, row in events_of(dag, bind(dag, data)):
        for emission in engine.push(source, time_ns, row):
            made[emission.vertex.node_id][0].append(emission.time_ns)
            made[emission.vertex.node_id][1].append(emission.row)
    for emission in engine.finish():
        made[emission.vertex.node_id][0].append(emission.time_ns)
        made[emission.vertex.node_id][1].append(emission.row)
    return Outputs({v.node_id: _series(*made[v.node_id], width=len(v.schema.fields)) for v in dag.nodes})


def events_of(dag: Dag, bound: Mapping[str, Bars]) -> Iterator[tuple[int, StreamInput, list[float]]]:
    """Bars of all sources by close time; at one time in the graph's order."""
    order = sorted(
        (time_ns, rank, index)
        for rank, source in enumerate(dag.sources)
        for index, time_ns in enumerate(bound[source.node_id].close_ns.tolist())
    )
    rows = [bound[source.node_id].values.tolist() for source in dag.sources]
    for time_ns, rank, index in order:
        yield time_ns, dag.sources[rank], rows[rank][index]


def _series(times: list[int], rows: list[Sequence[float]], *, width: int) -> Series:
    shaped = np.array(rows, dtype=np.float64).reshape(len(rows), width)
    return Series(np.array(times, dtype=np.int64), shaped)
