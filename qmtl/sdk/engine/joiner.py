"""Rows of several inputs joined as of event time, once nothing earlier can come any more.

The instants of all inputs are taken in order, each when every input is complete up to it. So a slower bar that closes
at an event is seen by it whichever of the two comes first, and one that closes later never is.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

from qmtl.core.errors import Exhausted
from qmtl.core.identity.canonical import Json
from qmtl.sdk.engine.saved_state import Row, state_list, state_number, state_numbers
from qmtl.sdk.graph.joins import Join, Joining

WAITING_MAX = 100_000
"""Instants that wait for an input that says nothing, not even that time passes."""

Rows = list[Row | None]


@dataclass(frozen=True, slots=True)
class Joined:
    """One instant: the fresh rows by input, and the rows of all inputs where it is an event."""

    fresh: Rows
    event: list[Row] | None


class Joiner:
    """One vertex's inputs."""

    def __init__(self, joining: Joining, waiting_max: int = WAITING_MAX) -> None:
        self._waiting_max = waiting_max
        self._rule = joining.rule
        self._drives = joining.drives
        self._waiting: dict[int, Rows] = {}
        self._order: list[int] = []
        self._latest: Rows = [None] * len(joining.drives)
        self._seen = [False] * len(joining.drives)

    def offer(self, time_ns: int, fresh: Sequence[tuple[int, Row]]) -> None:
        """Rows of some inputs at an instant. Raises Exhausted (E_JOIN_WAITING)."""
        slots = self._waiting.get(time_ns)
        if slots is None:
            slots = self._waiting[time_ns] = [None] * len(self._drives)
            insort(self._order, time_ns)
            if len(self._order) > self._waiting_max:
                waiting = f"more than {self._waiting_max} instants wait for an input"
                raise Exhausted("E_JOIN_WAITING", f"{waiting}, want bars of it, or ticks")
        for index, row in fresh:
            slots[index] = row

    def next_ns(self, complete_ns: int) -> int | None:
        """The first instant that waits, if every input is complete up to it."""
        return self._order[0] if self._order and self._order[0] <= complete_ns else None

    def take(self) -> Joined:
        """The first instant that waits."""
        fresh = self._waiting.pop(self._order.pop(0))
        for index, row in enumerate(fresh):
            if row is not None:
                self._latest[index] = row
                self._seen[index] = True
        rows = [row for row in self._latest if row is not None]
        if len(rows) < len(self._latest) or not self._is_event(fresh):
            return Joined(fresh, None)
        self._seen = [False] * len(self._seen)
        return Joined(fresh, rows)

    def _is_event(self, fresh: Rows) -> bool:
        came = [row is not None for row, drives in zip(fresh, self._drives, strict=True) if drives]
        if self._rule is Join.DROP:
            return all(came)
        seen = [seen for seen, drives in zip(self._seen, self._drives, strict=True) if drives]
        return any(came) and (self._rule is Join.AS_OF or all(seen))

    def save(self) -> Json:
        return [
            [[time_ns, _json(self._waiting[time_ns])] for time_ns in self._order],
            _json(self._latest),
            list(self._seen),
        ]

    def load(self, state: Json) -> None:
        waiting, latest, seen = state_list(state)
        self._waiting = {
            int(state_number(time_ns)): _rows(rows) for time_ns, rows in map(state_list, state_list(waiting))
        }
        self._order = sorted(self._waiting)
        self._latest = _rows(latest)
        self._seen = [bool(item) for item in state_list(seen)]


def _json(rows: Rows) -> Json:
    return [None if row is None else list(row) for row in rows]


def _rows(state: Json) -> Rows:
    return [None if row is None else state_numbers(row) for row in state_list(state)]
