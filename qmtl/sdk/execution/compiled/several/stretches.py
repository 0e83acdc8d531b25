"""Takes a replay of several symbols over the stretches in which all is plain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from brokerage.domain.accounts.position import Position
from brokerage.domain.backtest.compiled.account import Holding, is_small
from qmtl.core.arrays.merging import merged_times
from qmtl.core.fills import FillEvent
from qmtl.sdk.engine.compiling import compiled
from qmtl.sdk.execution.compiled.coverage import Covered, cover
from qmtl.sdk.execution.compiled.paying import DEARER_SEVERAL, DECISIONS_OF_SEVERAL, Compiling, cheapest
from qmtl.sdk.execution.compiled.several import kernel
from qmtl.sdk.execution.compiled.several.decided import Legs, Symbols
from qmtl.sdk.execution.compiled.several.kernel import Prices, SeveralStop, SeveralTraces, State, Targets, several
from qmtl.sdk.execution.compiled.several.records import SeveralFills, SeveralOrders, Traded
from qmtl.sdk.execution.compiled.stretches import StretchedRun
from qmtl.sdk.execution.planner import Followed
from qmtl.sdk.execution.port import Cancel
from qmtl.sdk.strategy.events import Signal

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Times


@dataclass(frozen=True, slots=True)
class SeveralStretch:
    """What a stretch led to: the step before which it ended, what it wrote down, and the targets that were told, as
    NodeID, instant and target.
    """

    end: int
    fills: SeveralFills
    orders: SeveralOrders
    told: Sequence[tuple[str, int, float]]
    looked_at: int
    cancels: Sequence[Cancel] = ()

    def heard(self, names: Mapping[str, str]) -> list[Signal | FillEvent]:
        """What a strategy hears of it, in order: at one close its fills first."""
        fills: list[tuple[int, Signal | FillEvent]] = [(fill.booked_ns, fill) for fill in self.fills.rows()]
        signals = [(at_ns, Signal(names[node_id], at_ns, target)) for node_id, at_ns, target in self.told]
        return [heard for _, heard in sorted([*fills, *signals], key=lambda one: one[0])]


class SeveralStretches:
    """As Stretches, of several symbols, each with a rule of its own."""

    def __init__(self, run: StretchedRun) -> None:
        self._account, self._logic, self._timeline, self._curve = run.account, run.logic, run.timeline, run.curve
        self._table, self._compiling, self._currency, self._next = run.table, run.compiling, run.currency, 0
        self._run: Callable[..., SeveralStop] = several
        found = self._cover(run.runs)
        self.why = found if isinstance(found, str) else ""
        self._covered = [] if isinstance(found, str) else found
        if self._covered:
            self._prepare(self._covered)

    @property
    def compiled(self) -> bool:
        """Whether its code is compiled."""
        return self._run is not several

    def _cover(self, runs: int) -> list[Covered] | str:
        """The run in integers by symbol, or why it has no plain stretches."""
        columns, steps = self._timeline.columns, len(self._timeline)
        if self._compiling is Compiling.NEVER:
            return "not asked for"
        self._followed = sorted(self._logic.followed, key=lambda one: one.rule.symbol)
        if [one.rule.symbol for one in self._followed] != list(columns):
            return "several targets of one symbol, or quotes"
        if self._account.plain_positions() is None:
            return "latency, or limits of the account"
        if any(not len(one.start_ns) for one in columns.values()):
            return "a symbol without bars"
        grids = {(one.interval_ns, int(one.start_ns[0]) % one.interval_ns) for one in columns.values()}
        if len(grids) != 1 or any(one.rule.bracket is not None for one in self._followed):
            return "bars of several grids, or brackets on several symbols"
        found: list[Covered] = []
        for one in self._followed:
            made = cover(
                self._account.view.profile,
                columns[one.rule.symbol],
                one.rule,
                self._table.of(one.node_id),
                self._currency,
            )
            if isinstance(made, str):
                return f"{made} ({one.rule.symbol})"
            found.append(made)
        if self._compiling is Compiling.WHERE_IT_PAYS:
            decisions = self._table.changes(0, steps)
            looked_at = steps * len(found) if found[0].terms.leverage else 0
            self._compiling = cheapest(
                DECISIONS_OF_SEVERAL * decisions, looked_at, runs, several, dearer=DEARER_SEVERAL
            )
            if self._compiling is Compiling.NEVER:
                return f"{decisions:,} decisions in {steps:,} bars"
        return found

    def _prepare(self, covered: list[Covered]) -> None:
        made = several if self._compiling is Compiling.PLAIN else compiled(several)
        self._run = several if isinstance(made, FunctionType) else made  # numba may be switched off
        timeline, steps, count = self._timeline, len(self._timeline), len(covered)
        sized = [number for one in covered for number in (int(one.sizing.fraction), one.sizing.down, one.sizing.lot)]
        numbers = {one.node_id: at for at, one in enumerate(self._followed)}
        order = [numbers[node_id] for node_id in self._logic.command_nodes]
        terms = [number for one in covered for number in one.terms]
        flat, shares, places = (self._column(np.array(one, dtype=np.int64)) for one in (terms, sized, order))
        self._symbols = Symbols(flat, shares, places, count, steps, covered[0].terms.leverage)
        rows = [np.asarray(timeline.rows(symbol, 0, steps)) for symbol in timeline.columns]
        closes = [np.diff(one, prepend=-1) > 0 for one in rows]
        bars = [
            [np.where(at < 0, 0, np.asarray(c)[at]) for c in one.market] for one, at in zip(covered, rows, strict=True)
        ]
        opened, close, volume = (self._column(np.concatenate(one)) for one in zip(*bars, strict=True))
        self._prices = Prices(opened, close, volume, self._column(np.concatenate(closes).astype(np.int64)))
        asked = [self._asked(one) for one in covered]
        given, target, units, price = (self._column(np.concatenate(one)) for one in zip(*asked, strict=True))
        changes = self._column(merged_times(np.asarray(one.commands.change) for one in covered))
        self._targets = Targets(given, target, units, price, changes)
        room = 2 * sum(len(one.commands.change) for one in covered) + 4 * count + 8
        widths = (kernel.FILLS_WIDTH, kernel.ORDERS_WIDTH, kernel.SIGNALS_WIDTH)
        self._traces = SeveralTraces(*(self._room(room * width) for width in widths))
        floats = [self._column(np.zeros(kernel.TARGETS_WIDTH * count)) for _ in range(2)]
        self._state = State(self._room(kernel.WIDTH * count), floats[0], self._room(kernel.WIDTH * count), floats[1])
        symbol, held, units, price = (self._room(count) for _ in range(4))
        found, position, best, whole = (self._room(count) for _ in range(4))
        target = self._column(np.zeros(count))
        self._legs = Legs(symbol, held, units, price, target, found, position, best, whole)

    def _asked(self, covered: Covered) -> tuple[Any, Any, Any, Any]:
        """Commands by step: whether there is one, its target twice, and its price."""
        commands = covered.commands
        row = np.asarray(commands.row)
        given = (row >= 0).astype(np.int64)
        target, units, price = (
            np.where(row < 0, 0, one[row] if len(one) else np.zeros(len(row), one.dtype))
            for one in (np.asarray(commands.target), np.asarray(commands.units), np.asarray(commands.price))
        )
        return given, target, units, price

    def _room(self, rows: int) -> Any:
        return np.zeros(rows, dtype=np.int64) if self.compiled else [0] * rows

    def _column(self, column: Any) -> Any:
        return np.require(column, requirements=["C", "W"]) if self.compiled else column.tolist()

    def take(self, step: int, end: int) -> SeveralStretch | None:
        """Take the plain steps from `step` on; None: that step is not plain."""
        if not self._covered or step < self._next:
            return None
        plain, followed = self._account.plain_positions(), self._logic.followed
        if plain is None or len(followed) != len(self._covered) or not self._begin(plain[0], plain[1], followed):
            return None
        given = (self._symbols, self._prices, self._targets, self._state, self._legs)
        stop = self._run(step, end, *given, plain[1], self._traces)
        self._next = stop.reached + 1
        if stop.step == step:
            return None
        before = {symbol: self._account.book.ledger.position(symbol) for symbol in self._timeline.columns}
        self._curve.note(step)
        found = self._written(stop)
        self._resume(stop, followed, before)
        return found

    def _begin(self, positions: Mapping[str, Position], cash: int, followed: Sequence[Followed]) -> bool:
        """Write down where the run stands; whether all of it is within 64 bits."""
        by_symbol = {one.rule.symbol: one for one in followed}
        for at, symbol in enumerate(self._timeline.columns):
            held, one, k = positions.get(symbol, Position()), by_symbol[symbol], at * kernel.WIDTH
            if not is_small(Holding(held.quantity, held.cost, held.realised, held.fees, held.fills, cash)):
                return False
            row = (held.quantity, held.cost, held.realised, held.fees, held.fills, 0, 0, 0, 0)
            for column, value in enumerate(row):
                self._state.now[k + column] = value
            for column, target in enumerate((one.acted, one.told, 0.0)):
                self._state.targets[at * kernel.TARGETS_WIDTH + column] = target
        return True

    def _rows(self, trace: Sequence[int], count: int, width: int) -> Times:
        """The columns of so many rows."""
        found: Times = np.array(trace[: count * width], dtype=np.int64).reshape(count, width).T
        return found

    def _written(self, stop: SeveralStop) -> SeveralStretch:
        traces, counts, ends, table = self._traces, stop.counts, self._timeline.ends, self._table
        traded = [
            Traded(columns.instrument, one.price_unit)
            for columns, one in zip(self._timeline.columns.values(), self._covered, strict=True)
        ]
        filled = self._rows(traces.fills, counts.fills, kernel.FILLS_WIDTH)
        steps, symbols, quantities, prices, fees, decided, parts = filled[:7]
        intervals = next(iter(self._timeline.columns.values())).interval_ns
        fills = SeveralFills(
            self._account.owner,
            traded,
            symbols,
            quantities,
            prices,
            fees,
            parts,
            ends[decided],
            ends[steps] - intervals,
            ends[steps],
        )
        placed, *columns = self._rows(traces.orders, counts.orders, kernel.ORDERS_WIDTH)
        at, amounts, targets, order_parts = (one.tolist() for one in columns)
        orders = SeveralOrders(traded, at, amounts, targets, order_parts, ends[placed].tolist())
        told_at, told_of = self._rows(traces.signals, counts.signals, kernel.SIGNALS_WIDTH)
        told: list[tuple[str, int, float]] = []
        for step, number in zip(told_at.tolist(), told_of.tolist(), strict=True):
            commands = table.of(self._followed[number].node_id)
            told.append((commands.node_id, ends.item(step), commands.targets.item(commands.row_at.item(step))))
        looked_at = len(merged_times([steps, placed, told_at]))
        return SeveralStretch(stop.step, fills, orders, told, looked_at)

    def _resume(self, stop: SeveralStop, followed: Sequence[Followed], before: Mapping[str, Position]) -> None:
        """Bring account, decision logic and curve to where the stretch ended."""
        kept, targets = self._state.kept, self._state.kept_targets
        by_symbol, positions = {one.rule.symbol: one for one in followed}, dict[str, Position]()
        for at, symbol in enumerate(self._timeline.columns):
            row = [int(value) for value in kept[at * kernel.WIDTH : (at + 1) * kernel.WIDTH]]
            positions[symbol] = Position(*row[:5])
            acted, told, awaited = (float(one) for one in targets[at * kernel.TARGETS_WIDTH :][: kernel.TARGETS_WIDTH])
            one = by_symbol[symbol]
            self._logic.resume(Followed(one.node_id, one.rule, acted, told))
            if row[kernel.WAITS]:
                self._logic.await_filled(symbol, awaited, row[kernel.WAITS] - 1)
            if (mark := self._timeline.mark(symbol, stop.step - 1)) is not None:
                self._account.pass_by({symbol: mark})
        traded = {symbol: held for symbol, held in positions.items() if held.fills}
        self._account.resume_positions(traded, stop.cash)
        self._extend(stop, before)

    def _extend(self, stop: SeveralStop, before: Mapping[str, Position]) -> None:
        """Have the curve know what was held from each fill on."""
        count = stop.counts.fills
        filled = self._rows(self._traces.fills, count, kernel.FILLS_WIDTH)
        steps, symbols = filled[:2]
        at, last = np.unique(steps, return_index=True)
        last = np.append(last[1:], count) - 1  # of the fills of a step, the last says the cash
        cash = filled[7][last].tolist() if count else []
        held, cost = dict[str, list[int]](), dict[str, list[int]]()
        for number, (symbol, position) in enumerate(before.items()):
            mine = np.flatnonzero(symbols == number)
            newest = np.searchsorted(steps[mine], at, side="right") - 1
            for found, column, first in (
                (held, filled[8], position.quantity),
                (cost, filled[9], position.cost),
            ):
                values = np.append(column[mine], first)  # -1 is what was held before
                found[symbol] = values[newest].tolist()
        self._curve.extend_several(at.tolist(), cash, held, cost)
