"""Every series of a graph over given bars, in batch or event by event: the same values, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from qmtl.core.arrays.merging import merged_times
from qmtl.core.errors import refused
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.binding import bind, source_series
from qmtl.sdk.data.event_order import events_of
from qmtl.sdk.engine.batch import run_graph
from qmtl.sdk.engine.chunks import ChunkRun
from qmtl.sdk.engine.series import Outputs, Series, followed
from qmtl.sdk.engine.streaming import StreamEngine
from qmtl.sdk.graph.account_state import PositionState
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.vertices import Node

E = TypeVar("E")
OnProgress = Callable[[str, int, int], None]
"""Told what is done, so many, of how many."""
TOLD_EVERY = 1_024
"""Instants of an event path between two tellings."""
STREAMED_INSTANTS = 4_096
"""Instants that a streaming replay feeds at a time: as many rows of a few columns stay in a processor's cache."""


def silent(what: str, done: int, of: int) -> None:
    """Told, and says nothing."""


def outputs_of(
    dag: Dag,
    data: Bars | Iterable[Bars],
    *,
    every_bar: bool,
    chunk: int,
    wanted: Collection[str],
    on_progress: OnProgress = silent,
) -> Outputs:
    """The series of the `wanted` vertices by NodeID, and maybe others: event by event, so many instants at a time, or,
    where `chunk` is 0, all at once.

    Raises InvalidRequest (E_FIELD) for a chunk below 0.
    """
    if chunk < 0:
        raise refused("E_FIELD", "chunk", chunk, "how many instants at a time; 0: all at once")
    if every_bar:
        return stream_outputs(dag, data, on_progress)
    if chunk > 0:
        return chunked_outputs(dag, data, chunk, wanted, on_progress)
    return batch_outputs(dag, data, on_progress)


def batch_outputs(dag: Dag, data: Bars | Iterable[Bars], on_progress: OnProgress = silent) -> Outputs:
    """Every vertex's series, the whole history of each at once. Raises what run_graph and bind raise."""
    return run_graph(dag, source_series(dag, data), lambda done: on_progress("nodes", done, len(dag.nodes)))


def chunked_outputs(
    dag: Dag,
    data: Bars | Iterable[Bars],
    rows: int,
    wanted: Collection[str] | None = None,
    on_progress: OnProgress = silent,
) -> Outputs:
    """As batch_outputs, fed so many instants at a time; every vertex goes on from the state that it had.

    `wanted`: the NodeIDs whose series are kept; None: of all. A graph that waits for the last of its inputs (Join.WAIT)
    is run event by event.
    """
    if ChunkRun.of(dag) is None:
        return stream_outputs(dag, data, on_progress)
    known = source_series(dag, data)
    forms = [one.array_form for one in dag.nodes if isinstance(one, Node) and one.array_form and one.array_form.used]
    made = _chunked(dag, known, rows, wanted, on_progress)
    if not all(form.used for form in forms):  # what the earlier chunks had of it is not kept either
        return chunked_outputs(dag, data, rows, wanted, on_progress)
    return Outputs({**known, **{node_id: followed(parts) for node_id, parts in made.items()}})


def _chunked(
    dag: Dag, known: Mapping[str, Series], rows: int, wanted: Collection[str] | None, on_progress: OnProgress
) -> dict[str, list[Series]]:
    run = ChunkRun(dag)
    instants = merged_times(series.time_ns for series in known.values())
    made: dict[str, list[Series]] = {}
    for at, end_ns in enumerate((*instants[rows - 1 :: rows].tolist(), 2**63 - 1), start=1):
        for node_id, series in run.feed(known, end_ns).items():
            if node_id not in known and (wanted is None or node_id in wanted):
                made.setdefault(node_id, []).append(series)
        on_progress("instants of nodes", min(at * rows, len(instants)), len(instants))
    return made


def flat_outputs(dag: Dag, data: Bars | Iterable[Bars]) -> Outputs:
    """As batch_outputs, with what reads the state of an account too: as it is while nothing is ever held."""
    known = source_series(dag, data)
    for vertex in dag.nodes:
        if isinstance(vertex, PositionState):
            times = known[vertex.inputs[0].node_id].time_ns
            known[vertex.node_id] = Series(times, np.zeros((len(times), len(vertex.schema.fields))))
    return run_graph(dag, known)


def stream_outputs(dag: Dag, data: Bars | Iterable[Bars], on_progress: OnProgress = silent) -> Outputs:
    """Every vertex's series, made by the streaming engine event by event."""
    bound = bind(dag, data)
    total = sum(len(bars) for bars in bound.values())
    made = StreamEngine(dag).replay(_told(events_of(dag, bound), total, on_progress))
    apart = dag.on_state
    here = [(vertex, each) for vertex, each in zip(dag.nodes, made, strict=True) if vertex.node_id not in apart]
    return Outputs({vertex.node_id: _series(*each, width=len(vertex.schema.fields)) for vertex, each in here})


def _told(events: Iterable[E], total: int, on_progress: OnProgress) -> Iterator[E]:
    for at, event in enumerate(events):
        if not at % TOLD_EVERY:
            on_progress("bars of nodes", at, total)
        yield event


def _series(times: list[int], rows: Sequence[Sequence[float]], *, width: int) -> Series:
    shaped = np.array(rows, dtype=np.float64).reshape(len(rows), width)
    return Series(np.array(times, dtype=np.int64), shaped)
