"""Runs the part of a graph that reads the state of an account, instant by instant, in step with that account.

The rest of the graph is computed before, in batch or event by event: what reads state sees the same rows either way, so
its values are the same in a backtest and in a session. The caller gives instants in order, each with every value of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qmtl.sdk.engine.alignment import Aligner
from qmtl.sdk.engine.joiner import Joiner
from qmtl.sdk.engine.saved_state import Row
from qmtl.sdk.engine.vertex_runs import Run, run_of
from qmtl.sdk.graph.account_state import PositionState
from qmtl.sdk.graph.dag import Dag

Holdings = Callable[[str], Row]
"""The row of a position by its symbol."""


class StateRuns:
    """The vertices of a graph that read the state of an account. `reads`: NodeIDs of what they read of the rest."""

    def __init__(self, dag: Dag, *, virtual: bool = True) -> None:
        apart = dag.on_state
        self._vertices = [vertex for vertex in dag.nodes if vertex.node_id in apart]
        self._runs: list[Run | None] = [run_of(one, dag.names[one.node_id], virtual) for one in self._vertices]
        self._aligners = [
            Aligner(len(one.inputs)) if one.joining is None else Joiner(one.joining) for one in self._vertices
        ]
        self._inputs = [tuple(item.node_id for item in one.inputs) for one in self._vertices]
        self._alone = [one.joining is None and len(one.inputs) == 1 for one in self._vertices]  # nothing to align
        self.reads = frozenset(item.node_id for one in self._vertices for item in one.inputs) - apart

    def step(self, time_ns: int, fresh: Mapping[str, Row], holdings: Holdings) -> dict[str, Row]:
        """One instant: the rows of the rest by NodeID, and what follows from them and from what is held."""
        made, own = dict(fresh), dict[str, Row]()
        for at, vertex in enumerate(self._vertices):
            inputs, value = self._inputs[at], None
            if isinstance(vertex, PositionState):
                if any(name in made for name in inputs):
                    value = holdings(vertex.symbol)
            elif (run := self._runs[at]) is not None:
                if self._alone[at]:
                    row = made.get(inputs[0])
                    event = None if row is None else [row]
                else:
                    rows = [(k, made[name]) for k, name in enumerate(inputs) if name in made]
                    event = self._event(at, time_ns, rows) if rows else None
                value = None if event is None else run.step(time_ns, event)
            if value is not None:
                made[vertex.node_id] = own[vertex.node_id] = value
        return own

    def _event(self, at: int, time_ns: int, rows: list[tuple[int, Row]]) -> list[Row] | None:
        """The rows of all inputs, where this instant is an event of the vertex."""
        aligner, run = self._aligners[at], self._runs[at]
        if isinstance(aligner, Aligner):
            return aligner.offer(time_ns, rows)
        aligner.offer(time_ns, rows)
        joined, joining = aligner.take(), self._vertices[at].joining
        if run is not None and joining is not None:
            for index, (row, drives) in enumerate(zip(joined.fresh, joining.drives, strict=True)):
                if row is not None and not drives:
                    run.observe(time_ns, index, row)
        return joined.event
