"""Every series of a graph over given bars, in batch or event by event: the same values, bit for bit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from qmtl.core.errors import refused
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.binding import bind, source_series
from qmtl.sdk.data.event_order import events_of
from qmtl.sdk.engine.batch import run_graph
from qmtl.sdk.engine.chunks import ChunkRun
from qmtl.sdk.engine.series import Outputs, Series
from qmtl.sdk.engine.streaming import Emission, StreamEngine
from qmtl.sdk.graph.account_state import PositionState
from qmtl.sdk.graph.dag import Dag


def outputs_of(dag: Dag, data: Bars | Iterable[Bars], *, streaming: bool, chunk: int) -> Outputs:
    """Every vertex's series: event by event, so many instants at a time, or, where `chunk` is 0, all at once.

    Raises InvalidRequest (E_FIELD) for a chunk below 0.
    """
    if chunk < 0:
        raise refused("E_FIELD", "chunk", chunk, "how many instants at a time; 0: all at once")
    if streaming:
        return stream_outputs(dag, data)
    return chunked_outputs(dag, data, chunk) if chunk > 0 else batch_outputs(dag, data)


def batch_outputs(dag: Dag, data: Bars | Iterable[Bars]) -> Outputs:
    """Every vertex's series, the whole history of each at once. Raises what run_graph and bind raise."""
    return run_graph(dag, source_series(dag, data))


def chunked_outputs(dag: Dag, data: Bars | Iterable[Bars], rows: int) -> Outputs:
    """As batch_outputs, fed so many instants at a time; every fold goes on from the state that it had.

    A graph with nodes that are no folds, or that join inputs as of event time, is run event by event.
    """
    known = source_series(dag, data)
    instants = np.unique(np.concatenate([series.time_ns for series in known.values()]))
    run = ChunkRun.of(dag)
    if run is None:
        return stream_outputs(dag, data)
    made: dict[str, list[Series]] = {vertex.node_id: [] for vertex in dag.nodes}
    for begin in range(0, len(instants), rows):
        last = int(instants[min(begin + rows, len(instants)) - 1])
        for node_id, series in run.feed(known, last).items():
            made[node_id].append(series)
    return Outputs({node_id: _joined(parts) for node_id, parts in made.items()})


def _joined(parts: Sequence[Series]) -> Series:
    return Series(np.concatenate([one.time_ns for one in parts]), np.concatenate([one.rows for one in parts]))


def flat_outputs(dag: Dag, data: Bars | Iterable[Bars]) -> Outputs:
    """As batch_outputs, with what reads the state of an account too: as it is while nothing is ever held."""
    known = source_series(dag, data)
    for vertex in dag.nodes:
        if isinstance(vertex, PositionState):
            times = known[vertex.inputs[0].node_id].time_ns
            known[vertex.node_id] = Series(times, np.zeros((len(times), len(vertex.schema.fields))))
    return run_graph(dag, known)


def stream_outputs(dag: Dag, data: Bars | Iterable[Bars]) -> Outputs:
    """Every vertex's series, made by the streaming engine event by event."""
    engine, before_ns, several = StreamEngine(dag), 0, len(dag.sources) > 1
    emissions: list[Emission] = []
    for time_ns, source, row in events_of(dag, bind(dag, data)):
        if several and time_ns > before_ns:
            emissions += engine.advance(before_ns)
        emissions += engine.push(source, time_ns, row)
        before_ns = time_ns
    emissions += engine.finish()
    made: dict[str, tuple[list[int], list[Sequence[float]]]] = {v.node_id: ([], []) for v in dag.nodes}
    for emission in emissions:
        made[emission.vertex.node_id][0].append(emission.time_ns)
        made[emission.vertex.node_id][1].append(emission.row)
    apart = dag.on_state
    here = [vertex for vertex in dag.nodes if vertex.node_id not in apart]
    return Outputs({v.node_id: _series(*made[v.node_id], width=len(v.schema.fields)) for v in here})


def _series(times: list[int], rows: list[Sequence[float]], *, width: int) -> Series:
    shaped = np.array(rows, dtype=np.float64).reshape(len(rows), width)
    return Series(np.array(times, dtype=np.int64), shaped)
