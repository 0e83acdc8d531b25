"""Local replay: commands of a graph against a simulated account, bar by bar, deterministic to the last digit.

At each bar's close: open orders meet the bar first (market orders fill at its open), then the commands of that
bar become orders, which the next bar is the first to meet. Money is exact decimals; floats appear only in
the statistics made afterwards. Results are research, never authoritative: a world decides by its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import numpy as np

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.backtest.actions import ActionResult, CorporateActions
from brokerage.domain.backtest.quiet import Why, next_visit
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.backtest.valuation import EquityCurve
from brokerage.domain.market.bars import BarColumns
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.states import EventKind
from brokerage.domain.risk.maintenance import MarginState
from qmtl.core.errors import refused
from qmtl.core.fills import FillEvent
from qmtl.core.instants import to_ns
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.outputs import TOLD_EVERY, OnProgress, outputs_of, silent
from qmtl.sdk.engine.series import Outputs
from qmtl.sdk.execution.compiled.brackets.stretches import BracketStretches
from qmtl.sdk.execution.compiled.paying import Compiling
from qmtl.sdk.execution.compiled.several.stretches import SeveralStretch, SeveralStretches
from qmtl.sdk.execution.compiled.stretches import Stretch, StretchedRun, Stretches
from qmtl.sdk.execution.decide import Command, DecisionLogic
from qmtl.sdk.execution.in_step import CommandsInStep, KnownValues
from qmtl.sdk.execution.order_updates import order_update
from qmtl.sdk.execution.port import conclude
from qmtl.sdk.execution.run_record import MarginCall, RunRecord, RunResult, result_of
from qmtl.sdk.execution.simulated import SimulatedExecution, fill_event, fill_of
from qmtl.sdk.execution.stepping.commands import CommandTable, first_command_ns, standing_at
from qmtl.sdk.execution.stepping.observed import HeldAtCloses
from qmtl.sdk.execution.stepping.traded import columns_of, one_currency, traded_bars, undecided
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.strategy.assembly import Assembled
from qmtl.sdk.strategy.events import Signal
from qmtl.sdk.strategy.rules import TradeRule
from qmtl.sdk.strategy.strategy import Strategy

_NEVER = 2**63


class Repeats:
    """What runs over the same bars share: how many `runs` are still to come, and the bars as exact integers."""

    def __init__(self, runs: int = 1) -> None:
        self.runs = runs
        self._columns: dict[tuple[str, int], tuple[Bars, BarColumns]] = {}

    def columns_of(self, bars: Bars, instrument: Instrument) -> BarColumns:
        """The bars at an instrument's scales."""
        key = bars.symbol, bars.interval_s
        seen, columns = self._columns.get(key, (None, None))
        if columns is None or seen is not bars or columns.instrument != instrument:
            columns = columns_of(bars, instrument)
            self._columns[key] = bars, columns
        return columns


def replay(
    assembled: Assembled,
    data: Bars | Iterable[Bars],
    terms: AccountTerms | None = None,
    *,
    every_bar: bool = False,
    chunk: int = 0,
    outputs: Outputs | None = None,
    compiling: Compiling = Compiling.WHERE_IT_PAYS,
    repeats: Repeats | None = None,
    on_progress: OnProgress = silent,
) -> RunResult:
    """Run a strategy over history. `every_bar` drives the graph event by event and visits every bar; else bars at whose
    close nothing can happen are passed by, and `visited` of the result says why the others were not. The result is the
    same, to the last digit.

    `chunk`: the graph is fed so many instants at a time, its states carried from one to the next (a streaming replay);
    0: all at once.
    `outputs`: the graph's values over these bars, where they are known. `compiling`: when stretches without any denial,
    margin call or order but a whole market order are taken in compiled code; `path` of the result says what was.
    `repeats`: what this run shares with others like it. `on_progress`: told of nodes, then of bars, as they are done.

    Raises InvalidRequest: E_NOTHING_TRADED without a trade rule, E_CURRENCIES for several quote currencies;
    NotFound (E_DATA_MISSING, E_INSTRUMENT_UNKNOWN, E_PROFILE_TABLE_MISSING).
    """
    terms, bars = terms or AccountTerms(), (data,) if isinstance(data, Bars) else tuple(data)
    if not assembled.rules:
        raise refused("E_NOTHING_TRADED", "trade", "no rule", "self.trade(target, price) in setup")
    if outputs is None:
        wanted = _read_of(assembled)
        outputs = outputs_of(
            assembled.dag, bars, every_bar=every_bar, chunk=chunk, wanted=wanted, on_progress=on_progress
        )
    account = _AccountReplay(assembled, bars, terms, every_bar, compiling, repeats or Repeats())
    assembled.strategy.on_start()
    record = account.run(outputs, on_progress)
    record.undecided = tuple(undecided(assembled, bars, account.last_commands(outputs), terms))
    assembled.strategy.on_finish()
    currency = account.currency
    del account  # its columns are as much again as the statistics need
    return result_of(record, currency)


def _read_of(assembled: Assembled) -> frozenset[str]:
    """NodeIDs of the vertices whose values a replay reads."""
    in_step = CommandsInStep(assembled).reads if assembled.in_step else frozenset[str]()
    return in_step.union(rule.command.node_id for rule in assembled.rules)


class _AccountReplay:
    """One account stepped through time by the commands of one strategy."""

    def __init__(
        self,
        assembled: Assembled,
        data: Sequence[Bars],
        terms: AccountTerms,
        every: bool,
        compiling: Compiling,
        repeats: Repeats,
    ) -> None:
        self._strategy: Strategy = assembled.strategy
        self._logic = DecisionLogic(assembled)
        self._data = {bars.symbol: bars for bars in traded_bars(assembled, data)}
        profile = terms.brokerage
        probe = SimulatedAccount(profile, {}, instruments=terms.instruments)
        traded = [probe.instrument(symbol) for symbol in self._data]
        for instrument in traded:
            profile.require(instrument)
        self.currency = one_currency({instrument.quote for instrument in traded})
        latency_ns = terms.latency // timedelta(microseconds=1) * 1_000
        if latency_ns < 0:
            raise refused("E_FIELD", "latency", terms.latency, "0 or more")
        self._account = SimulatedAccount(
            profile, {self.currency: terms.cash}, instruments=terms.instruments, latency_ns=latency_ns
        )
        self._in_step = CommandsInStep(assembled) if assembled.in_step else None
        hears, self._late = self._strategy.hears_orders, terms.late
        every = every or bool(terms.late)
        self._why_every = "every bar" if every else ""
        if self._in_step:
            self._why_every = "every bar: it quotes, or nodes read the position"
        direct = not (every or self._in_step or hears)  # orders taken direct and in compiled code have no events
        self._execution = SimulatedExecution(self._account, self.currency, self._take, direct=direct)
        self._runs, self._compiling = repeats.runs, compiling if direct else Compiling.NEVER
        self._every, self._names, self._rules = every, assembled.dag.names, assembled.rules
        self._hears, self._keeps = hears, terms.keeps
        self._after_ns = to_ns(terms.start) if terms.start else None
        self._record = RunRecord(
            multipliers={one.symbol: one.multiplier for one in traded},
            calendars={one.symbol: one.calendar for one in traded},
        )
        self._timeline = Timeline(repeats.columns_of(self._data[one.symbol], one) for one in traded)
        self._curve = EquityCurve(self._timeline, self._account.book.ledger, self.currency)
        self._actions = CorporateActions(self._account, terms.actions, self._timeline.columns)
        self._short_step = -2  # the last at whose close margin was short
        futures = any(one.pays_profit_only for one in traded)
        self._timed = self._actions.any or futures or profile.moves_with_time

    def run(self, outputs: Outputs, on_progress: OnProgress = silent) -> RunRecord:
        """Step through time, past the bars at whose close nothing can happen, or one by one."""
        if self._in_step is not None:
            return self._run_in_step(self._in_step, outputs, on_progress)
        timeline, nodes = self._timeline, self._logic.command_nodes
        after_ns = self._after_ns
        if after_ns is None:
            first = first_command_ns(nodes, outputs)
            after_ns = _NEVER if first is None else first - 1
        commands = CommandTable(nodes, outputs, timeline.ends, after_ns)
        begin = int(np.searchsorted(timeline.ends, after_ns, side="right"))
        self._stand(standing_at(nodes, outputs, after_ns))
        end, step = len(timeline), 0
        why: Why | None = Why.BEGIN
        stretches, compiled = self._stretches(commands), 0
        told = 0
        while step < end:
            if step >= told:
                on_progress("bars", step, end)
                told = step + TOLD_EVERY
            if step >= begin and not self._record.ended and (made := stretches.take(step, end)) is not None:
                compiled += made.end - step
                step, why = self._follow(made), Why.EVERY
                if step < end:
                    step, why = self._next(commands, step, end)
                continue
            if self._visit(step, commands, marked=step >= begin) or not step:
                self._curve.note(step)
            self._count(why)
            step += 1
            if self._record.ended and not self._invested():
                end = step
            elif step < end:
                step, why = (step, Why.EVERY) if self._every else self._next(commands, step, end)
        self._finish(begin, end)
        self._record.stuck = self._actions.stuck()
        self._record.path = self._path(stretches, compiled, end)
        return self._record

    def _run_in_step(self, in_step: CommandsInStep, outputs: Outputs, on_progress: OnProgress) -> RunRecord:
        """Step through every bar; the nodes that read the position see it as of the close before."""
        timeline, known = self._timeline, KnownValues(outputs, in_step.reads)
        held = HeldAtCloses(self._account, timeline)
        begin: int | None = None
        step = end = len(timeline)
        for step in range(len(timeline)):
            if not step % TOLD_EVERY:
                on_progress("bars", step, end)
            time_ns = int(timeline.ends[step])
            if self._meet_bars(step) or not step:
                self._curve.note(step)
            due: list[Command] = []
            for now, fresh in known.until(time_ns):
                due = in_step.at(now, fresh)
            due = [command for command in due if command.time_ns == time_ns]
            started = bool(due) if self._after_ns is None else time_ns > self._after_ns
            if begin is None and started:
                begin = step
            if begin is not None:
                self._decide(step, time_ns, due)
            else:
                self._stand(due)
            held.show(step, in_step.holdings)
            self._count(Why.EVERY)
            if self._record.ended and not self._invested():
                end = step + 1
                break
        self._finish(end if begin is None else begin, end)
        self._record.stuck = self._actions.stuck()
        self._record.path = self._why_every
        return self._record

    def _stand(self, commands: Iterable[Command]) -> None:
        """Take commands before the start as acted on, where those that stand then wait for their change."""
        for command in commands if self._keeps else ():
            if self._logic.order_name(command):
                self._logic.remember(command)

    def last_commands(self, outputs: Outputs) -> dict[str, int]:
        """When each command node last had a value; one that never had is left out."""
        if self._in_step is not None:
            return self._in_step.last_ns
        series = {rule.command.node_id: outputs[rule.command].time_ns for rule in self._rules}
        return {node_id: int(times[-1]) for node_id, times in series.items() if len(times)}

    def _stretches(self, commands: CommandTable) -> Stretches | SeveralStretches:
        compiling = Compiling.NEVER if self._actions.any else self._compiling
        account, logic, timeline = self._account, self._logic, self._timeline
        exits = any(isinstance(rule, TradeRule) and rule.bracket is not None for rule in self._rules)
        kind = BracketStretches if exits else Stretches if len(self._data) == 1 else SeveralStretches
        curve, currency = self._curve, self.currency
        return kind(StretchedRun(account, logic, timeline, curve, commands, currency, compiling, self._runs))

    def _follow(self, made: Stretch | SeveralStretch) -> int:
        """Write down what a stretch led to, and tell the strategy of it if it listens."""
        self._record.fills.extend_by(made.fills)
        self._execution.sent(made.orders, made.orders.sent, made.cancels)
        self._record.visited[Why.COMPILED.name] = self._record.visited.get(Why.COMPILED.name, 0) + made.looked_at
        hooks = (self._strategy.on_fill, Strategy.on_fill), (self._strategy.on_signal, Strategy.on_signal)
        if any(getattr(hook, "__func__", None) is not silent for hook, silent in hooks):
            for heard in made.heard(self._names):
                if isinstance(heard, Signal):
                    self._strategy.on_signal(heard)
                else:
                    self._strategy.on_fill(heard)
        return made.end

    def _path(self, stretches: Stretches | SeveralStretches, compiled: int, end: int) -> str:
        if self._why_every:
            return self._why_every
        if stretches.why:
            return f"past quiet bars: {'corporate actions' if self._actions.any else stretches.why}"
        return f"{'compiled' if stretches.compiled else 'in integers'}: {compiled:,} of {end:,} bars"

    def _visit(self, step: int, commands: CommandTable, *, marked: bool) -> bool:
        """One step: money up to its bars, its bars, money up to its close, and what is decided then. Whether what is
        held may have changed.
        """
        moved = self._meet_bars(step)
        if marked:
            time_ns = self._timeline.ends.item(step)
            same = not self._late and self._logic.settled and not commands.changes_at(step)
            self._decide(step, time_ns, [] if same else commands.at(step, time_ns))
        return moved

    def _meet_bars(self, step: int) -> bool:
        """The bars of a step; whether they or time did more than to move marks."""
        timeline, moved = self._timeline, self._timed
        rows = timeline.rows_at(step)
        if self._timed:
            begin_ns = min(timeline.columns[symbol].start_ns.item(row) for symbol, row in rows)
            self._record.pay(self.currency, self._account.advance(begin_ns))
            self._acted(self._actions.end(begin_ns, len(self._record.fills)))
        for symbol, row in rows:
            if not self._actions.any and self._account.is_idle(symbol):
                self._account.pass_by({symbol: timeline.mark_of(symbol, row)})
                continue
            moved = True
            bar = timeline.columns[symbol].bar(row)
            self._acted(self._actions.before(symbol, bar, len(self._record.fills)))
            direct = self._account.fill_direct(symbol, bar)
            if direct is None:
                self._take(self._account.on_bar(symbol, bar))
            else:
                self._tell(fill_event(direct))
        if self._timed:
            time_ns = timeline.ends.item(step)
            self._record.pay(self.currency, self._account.advance(time_ns))
            self._acted(self._actions.end(time_ns, len(self._record.fills)))
        return moved

    def _decide(self, step: int, time_ns: int, due: list[Command]) -> None:
        self._call_margin(step, time_ns)
        if not self._record.ended and time_ns not in self._late and self._logic.is_news(due):
            self._record.denials += conclude(self._logic.decide(due), self._execution.answer)

    def _next(self, commands: CommandTable, step: int, end: int) -> tuple[int, Why | None]:
        """The next step to visit and why; all before it are passed by."""
        found, why = step, self._here()
        if why is None:
            found, why = commands.next_change(step, end), Why.DECISION
            acts_ns = self._actions.next_ns()
            if acts_ns is not None and (at := self._timeline.step_after(acts_ns, step)) < found:
                found, why = at, Why.ACTION
            at, other = next_visit(self._account, self._timeline, step, found, self.currency)
            if at < found:
                found, why = at, other
        if found > step:
            marks = {symbol: self._timeline.mark(symbol, found - 1) for symbol in self._data}
            self._account.pass_by({symbol: mark for symbol, mark in marks.items() if mark is not None})
        return found, why

    def _here(self) -> Why | None:
        """Why the very next step has to be visited whatever comes; None: it has not."""
        if self._record.ended:
            return Why.ENDING
        if self._actions.waits:
            return Why.ACTION
        return None if self._logic.settled else Why.DECISION

    def _count(self, why: Why | None) -> None:
        if why is not None:
            name = why.name
            self._record.visited[name] = self._record.visited.get(name, 0) + 1

    def _finish(self, begin: int, end: int) -> None:
        self._record.orders, self._record.cancels = self._execution.orders, self._execution.cancels
        if begin < end:
            self._record.times = self._timeline.ends[begin:end]
            self._record.equity, self._record.invested = self._curve.between(begin, end)

    def _acted(self, results: Iterable[ActionResult]) -> None:
        """Write down what companies did."""
        for result in results:
            self._take(result.events)
            self._record.pay(self.currency, result.payments)
            self._record.steps += result.steps

    def _call_margin(self, step: int, time_ns: int) -> None:
        """Tell of margin that becomes short, and close what equity no longer covers; with no equity left the run ends
        once everything is closed. A step that was passed by was covered.
        """
        call, margin = self._account.margin_call(time_ns), self._account.margin
        if margin is not None and margin.state is not MarginState.COVERED:
            if self._short_step < step - 1:
                self._record.margin_warnings.append(MarginCall(time_ns, margin.warning))
            self._short_step = step
        if call is not None and (call.reductions or not self._record.ended):  # what nobody can close is told once
            self._record.margin_calls.append(MarginCall(time_ns, call.message))
            self._record.ended = self._record.ended or (call.message if call.ruined else "")

    def _invested(self) -> bool:
        return any(self._account.position(symbol) for symbol in self._data)

    def _take(self, events: Iterable[OrderEvent]) -> None:
        for event in events:
            if self._hears and (update := order_update(self._account, event)) is not None:
                self._strategy.on_order(update)
            if event.kind is EventKind.FILLED:
                self._tell(fill_of(self._account, event))

    def _tell(self, fill: FillEvent) -> None:
        self._record.fills.append(fill)
        self._strategy.on_fill(fill)
