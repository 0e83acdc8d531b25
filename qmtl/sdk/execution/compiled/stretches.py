"""Takes a replay over the stretches in which all is plain, in compiled code where there is enough to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from brokerage.domain.accounts.position import Position
from brokerage.domain.backtest.account import PlainAccount, SimulatedAccount
from brokerage.domain.backtest.compiled.account import Holding, is_small
from brokerage.domain.backtest.direct import Ticket
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.backtest.valuation import EquityCurve
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.order import Owner, Side
from qmtl.core.fills import FillEvent
from qmtl.sdk.engine.compiling import compiled
from qmtl.sdk.execution.compiled.coverage import Covered, cover
from qmtl.sdk.execution.compiled.kernel import Commands, Market, Standing, Stop, Traces, forward
from qmtl.sdk.execution.compiled.paying import Compiling, cheapest
from qmtl.sdk.execution.decide import DecisionLogic
from qmtl.sdk.execution.planner import Followed
from qmtl.sdk.execution.port import Cancel, SentOrder, order_name
from qmtl.sdk.execution.records.columns import FillColumns, OrderColumns
from qmtl.sdk.execution.records.traces import Columns
from qmtl.sdk.execution.stepping.commands import CommandTable, NodeCommands
from qmtl.sdk.strategy.events import Signal

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Times


class SentColumns(Columns[SentOrder], Protocol):
    """Orders as columns."""

    @property
    def sent(self) -> int:
        """How many orders that are."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a stretch led to: the step before which it ended, what it wrote down, and when and at which steps changed
    targets were told. `cancels` count the orders of the stretch before each.
    """

    end: int
    fills: FillColumns
    orders: SentColumns
    commands: NodeCommands
    told_ns: Times
    told_at: Times
    looked_at: int
    cancels: Sequence[Cancel] = ()

    def heard(self, names: Mapping[str, str]) -> list[Signal | FillEvent]:
        """What a strategy hears of it, in order: at one close its fills first."""
        fills: list[tuple[int, Signal | FillEvent]] = [(fill.booked_ns, fill) for fill in self.fills.rows()]
        name, targets = names[self.commands.node_id], self.commands.targets[self.commands.row_at[self.told_at]]
        told = zip(self.told_ns.tolist(), targets.tolist(), strict=True)
        signals = [(at_ns, Signal(name, at_ns, target)) for at_ns, target in told]
        return [heard for _, heard in sorted([*fills, *signals], key=lambda one: one[0])]


@dataclass(frozen=True, slots=True)
class StretchedRun:
    """The replay that has the stretches, the first of `runs` alike."""

    account: SimulatedAccount
    logic: DecisionLogic
    timeline: Timeline
    curve: EquityCurve
    table: CommandTable
    currency: str
    compiling: Compiling
    runs: int


class Stretches:
    """The plain stretches of the first of `runs` alike. `why` says why there are none; empty: there may
    be, and `compiled` whether their code is.
    """

    def __init__(self, run: StretchedRun) -> None:
        self._account, self._logic, self._timeline, self._curve = run.account, run.logic, run.timeline, run.curve
        self._compiling, self._currency = run.compiling, run.currency
        self._run: Callable[..., Any] = self._kernel()
        found = self._cover(run.table, run.runs)
        self.why = found if isinstance(found, str) else ""
        self._covered = None if isinstance(found, str) else found
        if self._covered is not None:
            self._prepare(self._covered)

    def _cover(self, table: CommandTable, runs: int) -> Covered | str:
        """The run in integers, or why it has no plain stretches."""
        followed, steps = self._logic.only, len(self._timeline)
        if self._compiling is Compiling.NEVER:
            return "not asked for"
        if followed is None or len(self._timeline.columns) != 1:
            return "several symbols or targets"
        self._table, self._rule, self._node = table, followed.rule, followed.node_id
        [(self._symbol, self._columns)] = self._timeline.columns.items()
        if self._account.plain(self._symbol) is None:
            return "latency, or limits of the account"
        nodes = table.of(followed.node_id)
        found = cover(self._account.view.profile, self._columns, followed.rule, nodes, self._currency)
        if self._compiling is Compiling.WHERE_IT_PAYS and not isinstance(found, str):
            decisions = table.changes(0, steps)
            self._compiling = self._cheapest(found, decisions, steps, runs)
            if self._compiling is Compiling.NEVER:
                return f"{decisions:,} decisions in {steps:,} bars"
        return found

    def _cheapest(self, found: Covered, decisions: int, steps: int, runs: int) -> Compiling:
        return cheapest(decisions, steps if found.terms.leverage else 0, runs)

    def _kernel(self) -> FunctionType:
        """The steps of a stretch, as a plain function."""
        return cast("FunctionType", forward)

    def _prepare(self, covered: Covered) -> None:
        kernel = self._kernel()
        made = kernel if self._compiling is Compiling.PLAIN else compiled(kernel)
        self._run = kernel if isinstance(made, FunctionType) else made  # numba may be switched off
        room = self._table.changes(0, len(self._timeline)) + 2  # a decision each time a target changes, and one anew
        self._traces = Traces(*(self._room(room) for _ in Traces._fields))
        self._market = Market(*(self._column(column) for column in covered.market))
        self._commands = Commands(*(self._column(column) for column in covered.commands))

    @property
    def compiled(self) -> bool:
        return self._run is not self._kernel()

    def take(self, step: int, end: int) -> Stretch | None:
        """Take the plain steps from `step` on; None: that step is not plain."""
        covered = self._covered
        if covered is None:
            return None
        account, followed = self._account.plain(self._symbol), self._logic.only
        if account is None or followed is None:
            return None
        return self._taken(step, end, covered, account, followed)

    def _taken(
        self, step: int, end: int, covered: Covered, account: PlainAccount, followed: Followed
    ) -> Stretch | None:
        begin, traces = self._standing(step, account, followed), self._traces
        if not is_small(begin.held):
            return None
        stop = self._run(step, end, covered.terms, covered.sizing, self._market, self._commands, begin, traces)
        if stop.step == step:
            return None
        self._curve.note(step)
        found = self._written(covered, stop, traces, account)
        self._resume(stop, followed, traces)
        return found

    def _room(self, rows: int) -> Any:
        return np.zeros(rows, dtype=np.int64) if self.compiled else [0] * rows

    def _column(self, column: Any) -> Any:
        """A column as the kernel reads it: as one type of numba's, so that what is kept on disk has one form."""
        return np.require(column, requirements=["C", "W"]) if self.compiled else np.asarray(column).tolist()

    def _standing(self, step: int, account: PlainAccount, followed: Followed) -> Standing:
        position, ticket = account.position, account.waiting
        held = Holding(position.quantity, position.cost, position.realised, position.fees, position.fills, account.cash)
        waiting = toward = 0
        if ticket is not None:
            scale = self._columns.instrument.quantity_scale
            waiting = ticket.side.sign * int(ticket.quantity.scaleb(scale))
            toward = int((ticket.position_target or 0) * 10**scale)
        return Standing(held, waiting, toward, followed.acted, followed.told, self._table.changes(0, step))

    def _units(self, covered: Covered) -> tuple[Owner, Instrument, int, int]:
        """Whose fills are, of what, and their units of price and money."""
        instrument = self._columns.instrument
        return self._account.owner, instrument, covered.price_unit, currency_scale(instrument.quote)

    def _written(self, covered: Covered, stop: Stop, traces: Traces, before: PlainAccount) -> Stretch:
        ends, columns, instrument = self._timeline.ends, self._columns, self._columns.instrument
        fills = [np.array(column[: stop.fills], dtype=np.int64) for column in traces[:4]]
        steps, quantities, prices, fees = fills
        orders = [np.asarray(column[: stop.orders], dtype=np.int64) for column in traces[7:10]]
        decided = ends[orders[0]].tolist()
        first = [] if before.waiting is None else [before.waiting]
        made = FillColumns(
            *self._units(covered),
            quantities,
            prices,
            fees,
            [ticket.client_order_id for ticket in first],
            [*(ticket.at_ns for ticket in first), *decided][: stop.fills],
            columns.start_ns[steps],
            ends[steps],
        )
        sent = OrderColumns(instrument, orders[1].tolist(), orders[2].tolist(), decided)
        told = np.array(traces.signal_step[: stop.signals], dtype=np.int64)
        looked = np.zeros(stop.step, dtype=np.bool_)
        for at in (steps, orders[0], told):
            looked[at] = True
        looked_at = int(np.count_nonzero(looked))
        return Stretch(stop.step, made, sent, self._table.of(self._node), ends[told], told, looked_at)

    def _resume(self, stop: Stop, followed: Followed, traces: Traces) -> None:
        """Bring account, decision logic and curve to where the stretch ended."""
        held, now = stop.standing.held, stop.standing
        ticket, instrument = None, self._columns.instrument
        if now.waiting:
            at_ns = int(self._timeline.ends[int(traces.order_step[stop.orders - 1])]) if stop.orders else 0
            quantity = instrument.quantity_decimal(abs(now.waiting))
            side, toward = Side.BUY if now.waiting > 0 else Side.SELL, instrument.quantity_decimal(now.toward)
            ticket = Ticket(order_name(self._symbol, at_ns), self._symbol, side, quantity, at_ns, toward)
        rows = [np.asarray(column[: stop.fills]).tolist() for column in (traces.fill_step, *traces[4:7])]
        self._bring(stop.step, held, ticket, Followed(followed.node_id, followed.rule, now.acted, now.told), rows)

    def _bring(self, step: int, held: Holding, ticket: Ticket | None, after: Followed, rows: list[list[int]]) -> None:
        """Bring account, decision logic and curve to a step. `rows`: of fills, their steps, and cash, quantity and cost
        after them.
        """
        position = Position(held.quantity, held.cost, held.realised, held.fees, held.fills)
        self._account.resume(self._symbol, PlainAccount(position, held.cash, ticket))
        self._logic.resume(after)
        self._curve.extend(self._symbol, *rows)
        mark = self._timeline.mark(self._symbol, step - 1)
        if mark is not None:
            self._account.pass_by({self._symbol: mark})
