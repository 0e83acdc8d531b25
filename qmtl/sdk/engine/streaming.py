"""The streaming engine: bars in, values out, one event at a time, in event-time order.

Its outputs equal qmtl.sdk.engine.batch bit for bit on in-order data. Time comes from the events: a source's
watermark is its newest event minus its allowed lateness, a node's is the least of its sources'. The engine
reads no clock and does no I/O.

What joins inputs as of event time waits until each of them is complete up to the event: up to its next possible close,
as bars close on the grid of their interval. A bar that is missing is waited for until the next one or a tick.
"""

from __future__ import annotations

import heapq
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from qmtl.calendars.spans import floor_to
from qmtl.core.errors import InvalidRequest
from qmtl.core.identity.canonical import Json
from qmtl.core.instants import NS_PER_S
from qmtl.sdk.engine.alignment import Aligner
from qmtl.sdk.engine.joiner import Joiner
from qmtl.sdk.engine.saved_state import Row
from qmtl.sdk.engine.vertex_runs import Run, run_of
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.vertices import Late, StreamInput, Vertex

LATE_KEPT = 1000
STATE_VERSION = 2
_NEVER, _EVER = -(2**63), 2**63

Instant = tuple[int, dict[int, Row]]
"""What was made of the events of one time: rows by the position of their vertex in the graph, in topological order."""


class Emission(NamedTuple):
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

    def __init__(self, vertex: StreamInput, position: int) -> None:
        self.vertex, self.position = vertex, position
        self.lateness_ns = vertex.lateness_s * NS_PER_S
        self.watermark = _NEVER
        self.released = _NEVER
        self.joined = _NEVER  # the newest instant that was joined with what there was of it
        self.held: list[tuple[int, Row]] = []
        self._interval_ns = vertex.interval_s * NS_PER_S

    @property
    def complete(self) -> int:
        """The last instant up to which no further bar can be known, ns."""
        if self.watermark in (_NEVER, _EVER):
            return self.watermark
        # within the allowed lateness a bar at the watermark itself may come yet
        newest = self.watermark - int(self.lateness_ns > 0 and self.released < self.watermark)
        return floor_to(newest, self._interval_ns) + self._interval_ns - 1

    def take(self, time_ns: int, row: Row) -> Iterable[tuple[int, Row]]:
        """A bar that is not late, and all bars that may be released with it."""
        if not self.lateness_ns and not self.held:
            self.watermark = self.released = time_ns
            return ((time_ns, row),)
        heapq.heappush(self.held, (time_ns, row))
        self.watermark = max(self.watermark, time_ns - self.lateness_ns)
        return self.release()

    def release(self) -> Iterator[tuple[int, Row]]:
        while self.held and self.held[0][0] <= self.watermark:
            time_ns, row = heapq.heappop(self.held)
            if time_ns > self.released:
                self.released = time_ns
                yield time_ns, row


_Step = tuple[int, Run, tuple[int, ...], bool]
"""A vertex that runs here: its position, its run, the positions of its inputs, and whether it has one and no join."""


class StreamEngine:
    """Runs a graph over events. `virtual` (default): reading the wall clock inside a node is an error."""

    def __init__(self, dag: Dag, *, virtual: bool = True) -> None:
        if dag.queries:
            names = ", ".join(dag.names[vertex.node_id] for vertex in dag.queries)
            raise InvalidRequest("E_TAG_QUERY_UNRESOLVED", f"{names}: queues of a tag query are found by a mesh only")
        self._dag = dag
        self._sources = {v.node_id: _Source(v, dag.position(v)) for v in dag.sources}
        apart = dag.on_state  # runs in step with an account (qmtl.sdk.engine.in_step)
        self._runs: list[Run | None] = [
            None if v.node_id in apart else run_of(v, dag.names[v.node_id], virtual) for v in dag.nodes
        ]
        inputs = [dag.inputs_of(v) for v in dag.nodes]
        self._aligners = [Aligner(len(v.inputs)) if v.joining is None else Joiner(v.joining) for v in dag.nodes]
        self._drives = [v.joining.drives if v.joining else () for v in dag.nodes]
        self._behind = _behind(inputs)
        alone = [v.joining is None and len(v.inputs) == 1 for v in dag.nodes]  # nothing to be aligned
        self._steps = [(i, run, inputs[i], alone[i]) for i, run in enumerate(self._runs) if run is not None]
        self._feeds = {
            source.position: [step for step in self._steps if source.position in self._behind[step[0]]]
            for source in self._sources.values()
        }
        here = [(i, each) for i, each in enumerate(self._aligners) if self._runs[i] is not None]
        self._joiners = [(i, each) for i, each in here if isinstance(each, Joiner)]
        self.late_total = 0
        self.late: deque[LateBar] = deque(maxlen=LATE_KEPT)

    def push(self, source: Vertex, time_ns: int, row: Sequence[float]) -> list[Emission]:
        """A bar of `source` known at `time_ns`; everything that follows from it, in topological order."""
        return self._emissions(self._push(source, time_ns, [float(item) for item in row]))

    def tick(self, source: Vertex, time_ns: int) -> list[Emission]:
        """Time passed at `source` without a bar: its watermark moves, so that its silence stalls nobody."""
        return self._emissions(self._tick(self._sources[source.node_id], time_ns))

    def advance(self, time_ns: int) -> list[Emission]:
        """Every bar that is known by `time_ns` was pushed: what is missing then is not waited for."""
        return self._emissions(self._advance(time_ns))

    def finish(self) -> list[Emission]:
        """No more events: release what the allowed lateness still holds."""
        return self._emissions(self._finish())

    def replay(self, events: Iterable[tuple[int, Vertex, Row]]) -> list[tuple[list[int], list[Row]]]:
        """Push bars in order of time, advance before each later one, and finish: all that each vertex made, as times
        and rows, by its position in the graph.
        """
        made: list[tuple[list[int], list[Row]]] = [([], []) for _ in self._dag.nodes]
        several, before_ns = len(self._sources) > 1, 0
        for time_ns, source, row in events:
            if several and time_ns > before_ns:
                _gather(made, self._advance(before_ns))
            _gather(made, self._push(source, time_ns, row))
            before_ns = time_ns
        _gather(made, self._finish())
        return made

    def watermark(self, vertex: Vertex) -> int:
        """Event time up to which a vertex has seen all it will see, ns; very negative before the first event."""
        sources = [self._dag.nodes[i] for i in self._behind[self._dag.position(vertex)]]
        return min(self._sources[v.node_id].watermark for v in sources if v.node_id in self._sources)

    def save(self) -> bytes:
        """The whole state, to continue exactly from here."""
        sources = {
            k: [s.watermark, s.released, s.joined, [[t, row] for t, row in s.held]] for k, s in self._sources.items()
        }
        nodes = {
            v.node_id: [run.save(), aligner.save()]
            for v, run, aligner in zip(self._dag.nodes, self._runs, self._aligners, strict=True)
            if run is not None
        }
        return json.dumps(
            {"version": STATE_VERSION, "sources": sources, "nodes": nodes}, separators=(",", ":")
        ).encode()

    def load(self, state: bytes) -> None:
        """Take over a saved state of the same graph. Raises InvalidRequest (E_NODE_STATE)."""
        saved: Json = json.loads(state)
        if not isinstance(saved, Mapping) or saved.get("version") != STATE_VERSION:
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
            source.watermark, source.released, source.joined, held = sources[key]
            source.held = [(time_ns, row) for time_ns, row in held]
        for vertex, run, aligner in zip(self._dag.nodes, self._runs, self._aligners, strict=True):
            if run is not None:
                run.load(nodes[vertex.node_id][0])
                aligner.load(nodes[vertex.node_id][1])

    def _emissions(self, made: Iterable[Instant]) -> list[Emission]:
        nodes = self._dag.nodes
        return [Emission(nodes[i], time_ns, tuple(row)) for time_ns, rows in made for i, row in rows.items()]

    def _push(self, source: Vertex, time_ns: int, row: Row) -> list[Instant]:
        state = self._sources[source.node_id]
        if time_ns <= state.released or time_ns <= state.joined or time_ns < state.watermark:
            self._put_aside(state.vertex, time_ns, row)
            return []
        return self._released(state, state.take(time_ns, row))

    def _tick(self, state: _Source, time_ns: int) -> list[Instant]:
        state.watermark = max(state.watermark, time_ns - state.lateness_ns)
        return self._released(state, state.release())

    def _advance(self, time_ns: int) -> list[Instant]:
        return [instant for state in self._sources.values() for instant in self._tick(state, time_ns)]

    def _finish(self) -> list[Instant]:
        made: list[Instant] = []
        for state in self._sources.values():
            if state.held:
                state.watermark = max(state.watermark, max(time_ns for time_ns, _ in state.held))
                made.extend(self._released(state, state.release()))
        for state in self._sources.values():
            state.watermark = _EVER
        return [*made, *self._joined(_EVER)]

    def _released(self, state: _Source, released: Iterable[tuple[int, Row]]) -> list[Instant]:
        """What follows from bars of a source in their order, and from the time that it has come to."""
        if not self._joiners:
            steps = self._feeds[state.position]
            return [self._event(time_ns, {state.position: row}, steps) for time_ns, row in released]
        made: list[Instant] = []
        for time_ns, row in released:
            made.extend(self._joined(time_ns - 1))
            made.append(self._event(time_ns, {state.position: row}, self._steps))
        made.extend(self._joined(_EVER))
        return made

    def _joined(self, until_ns: int) -> list[Instant]:
        """What follows from the instants up to `until_ns` that no input can add to any more, in their order."""
        made: list[Instant] = []
        while True:
            due = [joiner.next_ns(min(self._complete(at), until_ns)) for at, joiner in self._joiners]
            times = [time_ns for time_ns in due if time_ns is not None]
            if not times:
                return made
            made.append(self._event(min(times), {}, self._steps))

    def _event(self, time_ns: int, fresh: dict[int, Row], steps: Sequence[_Step]) -> Instant:
        """One instant: fresh rows by position, to which what the steps make of them is added."""
        complete: list[Row] | None
        for position, run, inputs, alone in steps:
            if alone:
                row = fresh.get(inputs[0])
                if row is None:
                    continue
                complete = [row]
            else:
                rows = [(k, fresh[item]) for k, item in enumerate(inputs) if item in fresh]
                complete = self._complete_rows(position, run, time_ns, rows)
                if complete is None:
                    continue
            value = run.step(time_ns, complete)
            if value is not None:
                fresh[position] = value
        return time_ns, fresh

    def _complete_rows(self, position: int, run: Run, time_ns: int, rows: list[tuple[int, Row]]) -> list[Row] | None:
        """The rows of all inputs of a vertex, where this instant is an event of it."""
        aligner = self._aligners[position]
        if isinstance(aligner, Aligner):
            return aligner.offer(time_ns, rows) if rows else None
        if rows:
            aligner.offer(time_ns, rows)
        if aligner.next_ns(self._complete(position)) != time_ns:
            return None
        joined = aligner.take()
        for source in self._sources_of(position):
            source.joined = max(source.joined, time_ns)
        for index, (row, drives) in enumerate(zip(joined.fresh, self._drives[position], strict=True)):
            if row is not None and not drives:
                run.observe(time_ns, index, row)
        return joined.event

    def _complete(self, position: int) -> int:
        return min(source.complete for source in self._sources_of(position))

    def _sources_of(self, position: int) -> Iterator[_Source]:
        nodes = (self._dag.nodes[i].node_id for i in self._behind[position])
        return (self._sources[node_id] for node_id in nodes if node_id in self._sources)

    def _put_aside(self, source: StreamInput, time_ns: int, row: Sequence[float]) -> None:
        self.late_total += 1
        if source.late is Late.SIDE_OUTPUT:
            self.late.append(LateBar(source.symbol, time_ns, tuple(row)))


def _behind(inputs: Sequence[tuple[int, ...]]) -> list[frozenset[int]]:
    """For each position, itself and every position it depends on."""
    found: list[frozenset[int]] = []
    for i, items in enumerate(inputs):
        found.append(frozenset({i}).union(*(found[item] for item in items)))
    return found


def _gather(made: Sequence[tuple[list[int], list[Row]]], instants: Iterable[Instant]) -> None:
    for time_ns, rows in instants:
        for position, row in rows.items():
            times, kept = made[position]
            times.append(time_ns)
            kept.append(row)
