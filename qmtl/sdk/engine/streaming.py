"""The streaming engine: bars in, values out, one event at a time, in event-time order.

Its outputs equal qmtl.sdk.engine.batch bit for bit on in-order data. Time comes from the events: a source's
watermark is its newest event minus its allowed lateness, a node's is the least of its sources'. The engine
reads no clock and does no I/O.
"""

from __future__ import annotations

import heapq
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from qmtl.core.errors import InvalidRequest
from qmtl.core.identity.canonical import Json
from qmtl.core.instants import NS_PER_S
from qmtl.sdk.engine.alignment import Aligner
from qmtl.sdk.engine.saved_state import Row
from qmtl.sdk.engine.vertex_runs import Run, run_of
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.vertices import Late, StreamInput, Vertex

LATE_KEPT = 1000
_NEVER = -(2**63)


@dataclass(frozen=True, slots=True, eq=False)
class Emission:
    """A value a vertex made of the event at `time_ns` (the bar's close)."""

    vertex: Vertex
    time_ns: int
    row: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LateBar:
    """A bar put aside because its watermark had passed."""

    source: str
    time_ns: int
    row: tuple[float, ...]


class _Source:
    """Puts one input in order: holds bars for the allowed lateness, releases them by time."""

    def __init__(self, vertex: StreamInput) -> None:
        self.vertex = vertex
        self.lateness_ns = vertex.lateness_s * NS_PER_S
        self.watermark = _NEVER
        self.released = _NEVER
        self.held: list[tuple[int, Row]] = []

    def release(self) -> Iterator[tuple[int, Row]]:
        while self.held and self.held[0][0] <= self.watermark:
            time_ns, row = heapq.heappop(self.held)
            if time_ns > self.released:
                self.released = time_ns
                yield time_ns, row


class StreamEngine:
    """Runs a graph over events. `virtual` (default): reading the wall clock inside a node is an error."""

    def __init__(self, dag: Dag, *, virtual: bool = True) -> None:
        if dag.queries:
            names = ", ".join(dag.names[vertex.node_id] for vertex in dag.queries)
            raise InvalidRequest("E_TAG_QUERY_UNRESOLVED", f"{names}: queues of a tag query are found by a mesh only")
        self._dag = dag
        self._sources = {v.node_id: _Source(v) for v in dag.sources}
        self._runs: list[Run | None] = [run_of(v, dag.names[v.node_id], virtual) for v in dag.nodes]
        self._inputs = [dag.inputs_of(v) for v in dag.nodes]
        self._aligners = [Aligner(len(inputs)) for inputs in self._inputs]
        self._behind = _behind(self._inputs)
        self._feeds = {
            i: [j for j, b in enumerate(self._behind) if i in b and j != i] for i in self._source_positions()
        }
        self.late_total = 0
        self.late: deque[LateBar] = deque(maxlen=LATE_KEPT)

    def push(self, source: Vertex, time_ns: int, row: Sequence[float]) -> list[Emission]:
        """A bar of `source` known at `time_ns`; everything that follows from it, in topological order."""
        state = self._sources[source.node_id]
        if time_ns <= state.released or time_ns < state.watermark:
            self._put_aside(state.vertex, time_ns, row)
            return []
        heapq.heappush(state.held, (time_ns, [float(item) for item in row]))
        return self.tick(source, time_ns)

    def tick(self, source: Vertex, time_ns: int) -> list[Emission]:
        """Time passed at `source` without a bar: its watermark moves, so that its silence stalls nobody."""
        state = self._sources[source.node_id]
        state.watermark = max(state.watermark, time_ns - state.lateness_ns)
        return self._released(state)

    def finish(self) -> list[Emission]:
        """No more events: release what the allowed lateness still holds."""
        made: list[Emission] = []
        for state in self._sources.values():
            if state.held:
                state.watermark = max(state.watermark, max(time_ns for time_ns, _ in state.held))
                made.extend(self._released(state))
        return made

    def watermark(self, vertex: Vertex) -> int:
        """Event time up to which a vertex has seen all it will see, ns; very negative before the first event."""
        sources = [self._dag.nodes[i] for i in self._behind[self._dag.position(vertex)]]
        return min(self._sources[v.node_id].watermark for v in sources if v.node_id in self._sources)

    def save(self) -> bytes:
        """The whole state, to continue exactly from here."""
        sources = {k: [s.watermark, s.released, [[t, row] for t, row in s.held]] for k, s in self._sources.items()}
        nodes = {
            v.node_id: [run.save(), aligner.save()]
            for v, run, aligner in zip(self._dag.nodes, self._runs, self._aligners, strict=True)
            if run is not None
        }
        return json.dumps({"version": 1, "sources": sources, "nodes": nodes}, separators=(",", ":")).encode()

    def load(self, state: bytes) -> None:
        """Take over a saved state of the same graph. Raises InvalidRequest (E_NODE_STATE)."""
        saved: Json = json.loads(state)
        if not isinstance(saved, Mapping) or saved.get("version") != 1:
            raise InvalidRequest("E_NODE_STATE", "saved state has another version", hint="recompute from history")
        sources, nodes = saved["sources"], saved["nodes"]
        known = {v.node_id for v, run in zip(self._dag.nodes, self._runs, strict=True) if run is not None}
        if (
            not isinstance(nodes, dict)
            or not isinstance(sources, dict)
            or set(nodes) != known
            or set(sources) != set(self._sources)
        ):
            raise InvalidRequest("E_NODE_STATE", "saved state is of another graph", hint="recompute from history")
        for key, source in self._sources.items():
            source.watermark, source.released, held = sources[key]
            source.held = [(time_ns, row) for time_ns, row in held]
        for vertex, run, aligner in zip(self._dag.nodes, self._runs, self._aligners, strict=True):
            if run is not None:
                run.load(nodes[vertex.node_id][0])
                aligner.load(nodes[vertex.node_id][1])

    def _released(self, state: _Source) -> list[Emission]:
        made: list[Emission] = []
        for time_ns, row in state.release():
            made.extend(self._event(self._dag.position(state.vertex), time_ns, row))
        return made

    def _event(self, source: int, time_ns: int, row: Row) -> list[Emission]:
        fresh = {source: row}
        for position in self._feeds[source]:
            run = self._runs[position]
            rows = [(k, fresh[item]) for k, item in enumerate(self._inputs[position]) if item in fresh]
            complete = self._aligners[position].offer(time_ns, rows) if rows else None
            value = run.step(time_ns, complete) if run is not None and complete is not None else None
            if value is not None:
                fresh[position] = value
        return [Emission(self._dag.nodes[i], time_ns, tuple(value)) for i, value in fresh.items()]

    def _put_aside(self, source: StreamInput, time_ns: int, row: Sequence[float]) -> None:
        self.late_total += 1
        if source.late is Late.SIDE_OUTPUT:
            self.late.append(LateBar(source.symbol, time_ns, tuple(row)))

    def _source_positions(self) -> list[int]:
        return [self._dag.position(vertex) for vertex in self._dag.sources]


def _behind(inputs: Sequence[tuple[int, ...]]) -> list[frozenset[int]]:
    """For each position, itself and every position it depends on."""
    found: list[frozenset[int]] = []
    for i, items in enumerate(inputs):
        found.append(frozenset({i}).union(*(found[item] for item in items)))
    return found
