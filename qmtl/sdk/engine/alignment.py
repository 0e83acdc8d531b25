"""Rows of several inputs joined by event time."""

from __future__ import annotations

from collections.abc import Sequence

from qmtl.core.identity.canonical import Json
from qmtl.sdk.engine.saved_state import Row, state_list, state_number, state_numbers

PENDING_MAX = 10_000
"""Rows a node keeps waiting for its other inputs; beyond it the oldest is given up, as a gap would be."""


class Aligner:
    """Inner join by event time: an event is complete once every input has a row of the same time."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._pending: dict[int, list[Row | None]] = {}

    def offer(self, time_ns: int, fresh: Sequence[tuple[int, Row]]) -> list[Row] | None:
        """Take rows of some inputs; all rows of the event if that completes it."""
        if len(fresh) == self._width:
            if self._pending:
                self.forget(time_ns)
            return [row for _, row in fresh]
        slots = self._pending.setdefault(time_ns, [None] * self._width)
        for index, row in fresh:
            slots[index] = row
        rows = [row for row in slots if row is not None]
        if len(rows) == self._width:
            self.forget(time_ns)
            return rows
        if len(self._pending) > PENDING_MAX:
            del self._pending[min(self._pending)]
        return None

    def forget(self, time_ns: int) -> None:
        """Give up events up to `time_ns`: inputs come in order, so none of them can complete any more."""
        for key in [key for key in self._pending if key <= time_ns]:
            del self._pending[key]

    def save(self) -> Json:
        return [
            [key, [list(row) if row is not None else None for row in slots]] for key, slots in self._pending.items()
        ]

    def load(self, state: Json) -> None:
        self._pending = {}
        for entry in state_list(state):
            key, slots = state_list(entry)
            self._pending[int(state_number(key))] = [
                None if row is None else state_numbers(row) for row in state_list(slots)
            ]
