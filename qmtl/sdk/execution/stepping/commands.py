"""Commands of a run as columns by step: what is wanted at each close, and where it differs from the close before."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.arrays.merging import merged_times
from qmtl.sdk.engine.series import Outputs, Series
from qmtl.sdk.execution.decide import Command

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qmtl.core.arrays.types import Floats, Times


def first_command_ns(nodes: Iterable[str], outputs: Outputs) -> int | None:
    """When the first command is known; None: there is none."""
    firsts = [int(outputs.by_id[node].time_ns[0]) for node in nodes if len(outputs.by_id[node])]
    return min(firsts, default=None)


def standing_at(nodes: Iterable[str], outputs: Outputs, time_ns: int) -> Iterator[Command]:
    """The last command of each node that has one by an instant."""
    for node in nodes:
        series = outputs.by_id[node]
        row = int(np.searchsorted(series.time_ns, time_ns, side="right")) - 1
        if row >= 0:
            yield Command(node, int(series.time_ns[row]), *series.rows[row].tolist())


@dataclass(frozen=True, slots=True, eq=False)
class NodeCommands:
    """The values of one command node that fall on a step: row of each step (-1: none), targets and prices by row, and
    the steps at which the target is not that of the command before.
    """

    node_id: str
    row_at: Times
    targets: Floats
    prices: Floats
    changes: Times


class CommandTable:
    """The commands of all nodes at steps that end at `ends` (n,), those after `after_ns` only."""

    def __init__(self, nodes: Iterable[str], outputs: Outputs, ends: Times, after_ns: int) -> None:
        self._nodes = [_by_step(node_id, outputs.by_id[node_id], ends, after_ns) for node_id in nodes]
        changes: list[Times] = [node.changes for node in self._nodes]
        steps = changes[0] if len(changes) == 1 else merged_times(changes)
        self._changes: list[int] = steps.tolist()

    def of(self, node_id: str) -> NodeCommands:
        """The commands of one node."""
        return next(node for node in self._nodes if node.node_id == node_id)

    def changes(self, step: int, end: int) -> int:
        """At how many steps of [step, end) a target is not that of its command before."""
        return bisect_left(self._changes, end) - bisect_left(self._changes, step)

    def changes_at(self, step: int) -> bool:
        """Whether a target of a step is not that of its command before."""
        return self.next_change(step, step + 1) == step

    def at(self, step: int, end_ns: int) -> list[Command]:
        """The commands of a step that ends at `end_ns`."""
        found: list[Command] = []
        for node in self._nodes:
            row = node.row_at.item(step)
            if row >= 0:
                found.append(Command(node.node_id, end_ns, node.targets.item(row), node.prices.item(row)))
        return found

    def next_change(self, step: int, end: int) -> int:
        """The first step in [step, end) at which a node's target is not that of its command before; else `end`."""
        at = bisect_left(self._changes, step)
        return min(self._changes[at], end) if at < len(self._changes) else end


def _by_step(node_id: str, series: Series, ends: Times, after_ns: int) -> NodeCommands:
    """A node's commands by step. Nothing was wanted before the first."""
    begin = int(np.searchsorted(series.time_ns, after_ns, side="right"))
    times, rows = series.time_ns[begin:], series.rows[begin:]
    first = len(ends) - len(times)
    if first >= 0 and np.array_equal(ends[first:], times):  # a command at each close from one on
        row_at = np.arange(-first, len(times))
        row_at[:first] = -1
        targets, prices = np.ascontiguousarray(rows[:, 0]), np.ascontiguousarray(rows[:, 1])
        return NodeCommands(node_id, row_at, targets, prices, np.flatnonzero(_changed(targets)) + first)
    steps = np.searchsorted(ends, times)
    steps[steps == len(ends)] = 0
    kept = ends[steps] == times if len(ends) else np.zeros(len(times), dtype=np.bool_)
    steps, targets, prices = steps[kept], rows[kept, 0], rows[kept, 1]
    row_at = np.full(len(ends), -1, dtype=np.int64)
    row_at[steps] = np.arange(len(steps))
    return NodeCommands(node_id, row_at, targets, prices, steps[_changed(targets)])


def _changed(targets: Floats) -> NDArray[np.bool_]:
    """Whether each target is another than the one before it; nothing was wanted before the first."""
    changed = np.empty(len(targets), dtype=np.bool_)
    changed[:1] = targets[:1] != 0.0
    np.not_equal(targets[1:], targets[:-1], out=changed[1:])
    return changed
