"""Bars of several sources as one sequence of events, by close time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qmtl.sdk.data.bars import Bars
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.vertices import StreamInput


def events_of(dag: Dag, bound: Mapping[str, Bars]) -> Iterator[tuple[int, StreamInput, list[float]]]:
    """Bars of all sources by close time; at one time in the graph's order."""
    order = sorted(
        (time_ns, rank, index)
        for rank, source in enumerate(dag.sources)
        for index, time_ns in enumerate(bound[source.node_id].close_ns.tolist())
    )
    sources = dag.sources
    rows = [bound[source.node_id].values.tolist() for source in sources]
    for time_ns, rank, index in order:
        yield time_ns, sources[rank], rows[rank][index]
