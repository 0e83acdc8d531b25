"""Commands of a strategy whose nodes read what it holds: made instant by instant, in step with its account.

At an instant the nodes see what was held at the last close before it. That is the same in a backtest, however its other
nodes were computed, and in a session.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from qmtl.core.arrays.merging import merged_times
from qmtl.sdk.engine.in_step import StateRuns
from qmtl.sdk.engine.saved_state import Row
from qmtl.sdk.engine.series import Outputs
from qmtl.sdk.execution.decide import Command
from qmtl.sdk.execution.holdings import Holdings
from qmtl.sdk.strategy.assembly import Assembled
from qmtl.sdk.strategy.quotes import QuoteRule

NO_QUOTE = (0.0, 0.0, 0.0, 0.0)
"""The command of a close without an intent: quotes of an older one are withdrawn."""


class CommandsInStep:
    """The commands of every rule. `holdings` is what they see; `last_ns`: when each command node last had a value."""

    def __init__(self, assembled: Assembled) -> None:
        self._runs = StateRuns(assembled.dag)
        self._commands = [rule.command.node_id for rule in assembled.rules]
        quotes = (rule for rule in assembled.rules if isinstance(rule, QuoteRule))
        self._closes = {rule.command.node_id: rule.price.node_id for rule in quotes}
        made_before = (frozenset(self._commands) - assembled.dag.on_state).union(self._closes.values())
        self.reads = self._runs.reads | made_before
        self.holdings = Holdings()
        self.last_ns: dict[str, int] = {}

    def at(self, time_ns: int, fresh: Mapping[str, Row]) -> list[Command]:
        """The commands of one instant, given the values of all nodes that read no state. Instants come in order."""
        made = {**fresh, **self._runs.step(time_ns, fresh, self.holdings.row)}
        found: list[Command] = []
        for node_id in self._commands:
            row = made.get(node_id)
            if row is not None:
                self.last_ns[node_id] = time_ns
                found.append(Command(node_id, time_ns, row[0], row[1], tuple(row)))
            elif node_id in self.last_ns and self._closes.get(node_id) in made:
                found.append(Command(node_id, time_ns, 0.0, 0.0, NO_QUOTE))
        return found


class KnownValues:
    """The values of nodes over a whole run, instant by instant."""

    def __init__(self, outputs: Outputs, nodes: Iterable[str]) -> None:
        self._series = [(node_id, outputs.by_id[node_id]) for node_id in sorted(nodes)]
        times = [series.time_ns for _, series in self._series]
        self._times: list[int] = merged_times(times).tolist()
        self._next = 0
        self._at = [0] * len(self._series)

    def until(self, time_ns: int) -> Iterator[tuple[int, dict[str, Row]]]:
        """The instants up to `time_ns` that were not given yet, with the rows of each."""
        while self._next < len(self._times) and self._times[self._next] <= time_ns:
            now = self._times[self._next]
            self._next += 1
            yield now, self._fresh(now)

    def _fresh(self, now: int) -> dict[str, Row]:
        fresh: dict[str, Row] = {}
        for index, (node_id, series) in enumerate(self._series):
            at = self._at[index]
            if at < len(series) and series.time_ns.item(at) == now:
                fresh[node_id] = series.rows[at].tolist()
                self._at[index] = at + 1
        return fresh
