"""Takes a replay of a rule with a bracket over the stretches in which all is plain, from flat to flat."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, cast

import numpy as np

from brokerage.domain.backtest.account import PlainAccount
from brokerage.domain.backtest.compiled.account import is_small
from qmtl.core.arrays.merging import merged_times
from qmtl.sdk.execution.compiled.brackets.kernel import BracketStop, BracketTraces, bracketed
from qmtl.sdk.execution.compiled.brackets.records import BracketFills, BracketOrders, cancels_of
from qmtl.sdk.execution.compiled.coverage import Covered
from qmtl.sdk.execution.compiled.exits import Ranges
from qmtl.sdk.execution.compiled.paying import BARS_OF_A_LIST, BARS_OF_EXITS, DEARER_BRACKETS, Compiling, cheapest
from qmtl.sdk.execution.compiled.stretches import Stretch, Stretches
from qmtl.sdk.execution.planner import Followed
from qmtl.sdk.execution.port import Cancel

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Times

_FILL_COLUMNS = 11
"""The first columns of the traces are those of fills."""


class BracketStretches(Stretches):
    """The plain stretches of a rule with a bracket. Each begins and ends where nothing is held and nothing is open."""

    def _cheapest(self, found: Covered, decisions: int, steps: int, runs: int) -> Compiling:
        return cheapest(decisions, BARS_OF_EXITS * steps, runs, bracketed, BARS_OF_A_LIST, DEARER_BRACKETS)

    def _kernel(self) -> FunctionType:
        return cast("FunctionType", bracketed)

    def _prepare(self, covered: Covered) -> None:
        super()._prepare(covered)
        changes = self._table.changes(0, len(self._timeline))
        self._worked = BracketTraces(*(self._room(2 * changes + 4) for _ in BracketTraces._fields))
        if (ranges := covered.ranges) is not None:
            high, low, start_ns = (self._column(one) for one in (ranges.high, ranges.low, ranges.start_ns))
            self._ranges = Ranges(high, low, start_ns, ranges.interval_ns)
        self._next = 0  # what ended the last stretch would end another that begins before it

    def _taken(
        self, step: int, end: int, covered: Covered, account: PlainAccount, followed: Followed
    ) -> Stretch | None:
        begin = self._standing(step, account, followed)
        if step < self._next or begin.held.quantity or begin.waiting or not is_small(begin.held):
            return None
        given = (covered.terms, covered.sizing, covered.exits, self._market, self._ranges, self._commands)
        stop: BracketStop = self._run(step, end, *given, begin, self._worked)
        self._next = stop.reached + 1
        if stop.step == step:
            return None
        self._curve.note(step)
        counts = stop.counts
        fills = [np.array(column[: counts.fills], dtype=np.int64) for column in self._worked[:_FILL_COLUMNS]]
        found = self._made(covered, stop, fills)
        after = Followed(followed.node_id, followed.rule, stop.acted, stop.told)
        self._bring(stop.step, stop.held, None, after, [column.tolist() for column in (fills[0], *fills[8:])])
        return found

    def _made(self, covered: Covered, stop: BracketStop, fills: list[Times]) -> Stretch:
        counts, worked, rule = stop.counts, self._worked, self._rule
        ends, instrument, table = self._timeline.ends, self._columns.instrument, self._table.of(self._node)
        steps, quantities, prices, fees, parts, seqs, decided, made_ns = fills[:8]
        filled = BracketFills(
            *self._units(covered),
            quantities,
            prices,
            fees,
            [],
            ends[decided].tolist(),
            made_ns,
            ends[steps],
            parts.tolist(),
            seqs.tolist(),
        )
        placed = np.asarray(worked.order_step[: counts.orders], dtype=np.int64)
        orders = BracketOrders(
            rule,
            instrument,
            np.asarray(worked.order_quantity[: counts.orders]).tolist(),
            np.asarray(worked.order_target[: counts.orders]).tolist(),
            ends[placed].tolist(),
            np.asarray(worked.order_part[: counts.orders]).tolist(),
            table.prices[table.row_at[placed]].tolist(),
            counts.sent,
        )
        told = np.array(worked.signal_step[: counts.signals], dtype=np.int64)
        looked_at = len(merged_times([steps, placed, told]))
        cancels = self._cancels(counts.cancels)
        return Stretch(stop.step, filled, orders, table, ends[told], told, looked_at, cancels)

    def _cancels(self, count: int) -> list[Cancel]:
        worked, ends = self._worked, self._timeline.ends
        steps, entered = (np.array(one[:count], dtype=np.int64) for one in (worked.cancel_step, worked.cancel_of))
        if not count or self._rule.bracket is None:
            return []
        sent = np.asarray(worked.cancel_sent[:count]).tolist()
        return cancels_of(self._symbol, self._rule.bracket, ends[entered].tolist(), ends[steps].tolist(), sent)
