"""Local replay: commands of a graph against a simulated account, bar by bar, deterministic to the last digit.

At each bar's close: open orders meet the bar first (market orders fill at its open), then the commands of that
bar become orders, which the next bar is the first to meet. Money is exact decimals; floats appear only in
the statistics made afterwards. Results are research, never authoritative: a world decides by its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import Bar, bars_from_doubles
from brokerage.domain.models.profiles.generic import spot
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import EventKind
from qmtl.core.instants import NS_PER_S
from qmtl.sdk.data.bars import Bars, to_ns
from qmtl.sdk.data.binding import bind
from qmtl.sdk.data.event_order import stream_outputs
from qmtl.sdk.engine.batch import run_batch
from qmtl.sdk.engine.series import Outputs
from qmtl.sdk.execution.planner import Planner
from qmtl.sdk.execution.port import Holding, Intent
from qmtl.sdk.execution.run_record import DeniedOrder, RunRecord, RunResult, summary
from qmtl.sdk.execution.simulated import fill_of
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.graph.names import refused
from qmtl.sdk.strategy.assembly import Assembled
from qmtl.sdk.strategy.events import Signal
from qmtl.sdk.strategy.strategy import Strategy

_NEVER = 2**63


def replay(
    assembled: Assembled,
    data: Bars | Iterable[Bars],
    terms: AccountTerms | None = None,
    *,
    streaming: bool = False,
    outputs: Outputs | None = None,
) -> RunResult:
    """Run a strategy over history. `streaming` drives the graph event by event; the result is the same.

    `outputs`: the graph's values over these bars, where they are known.

    Raises InvalidRequest: E_NOTHING_TRADED without a trade rule, E_CURRENCIES for several quote currencies;
    NotFound (E_DATA_MISSING, INSTRUMENT_UNKNOWN).
    """
    terms, bars = terms or AccountTerms(), (data,) if isinstance(data, Bars) else tuple(data)
    if not assembled.rules:
        raise refused("E_NOTHING_TRADED", "trade", "no rule", "self.trade(target, price) in setup")
    if outputs is None:
        outputs = stream_outputs(assembled.dag, bars) if streaming else run_batch(assembled.dag, bars)
    session = _Session(assembled, bars, terms)
    assembled.strategy.on_start()
    tape = session.run(outputs)
    assembled.strategy.on_finish()
    return summary(tape, session.currency, terms.periods_per_year)


class _Session:
    """One account stepped through time by the commands of one strategy."""

    def __init__(self, assembled: Assembled, data: Sequence[Bars], terms: AccountTerms) -> None:
        self._strategy: Strategy = assembled.strategy
        self._planners = {rule.command.node_id: Planner(rule) for rule in assembled.rules}
        self._names = assembled.dag.names
        self._data = {bars.symbol: bars for bars in _traded(assembled, data)}
        probe = SimulatedAccount(terms.profile or spot(), {})
        self.currency = _one_currency({probe.instrument(symbol).quote for symbol in self._data})
        self._account = SimulatedAccount(terms.profile or spot(), {self.currency: terms.cash})
        self._after_ns = to_ns(terms.start) if terms.start else None
        self._tape = RunRecord()

    def run(self, outputs: Outputs) -> RunRecord:
        commands = self._commands(outputs)
        after_ns = min(commands, default=_NEVER) - 1 if self._after_ns is None else self._after_ns
        for time_ns, bars in self._steps():
            for symbol, bar in bars:
                self._take(self._account.on_bar(symbol, bar))
            if time_ns > after_ns:
                for node_id, target, price in commands.get(time_ns, ()):
                    self._decide(node_id, time_ns, target, price)
                self._mark(time_ns)
        return self._tape

    def _commands(self, outputs: Outputs) -> dict[int, list[tuple[str, float, float]]]:
        found: dict[int, list[tuple[str, float, float]]] = {}
        for node_id in self._planners:
            series = outputs.by_id[node_id]
            for time_ns, (target, price) in zip(series.time_ns.tolist(), series.rows.tolist(), strict=True):
                found.setdefault(time_ns, []).append((node_id, target, price))
        return found

    def _steps(self) -> Iterator[tuple[int, list[tuple[str, Bar]]]]:
        """Bars of all symbols by close time; at one time by symbol, so that every run sees one order."""
        merged: dict[int, list[tuple[str, Bar]]] = {}
        for symbol, bars in sorted(self._data.items()):
            v = bars.values
            columns = (v[:, 0], v[:, 1], v[:, 2], v[:, 3], v[:, 4])
            instrument = self._account.instrument(symbol)
            for bar in bars_from_doubles(instrument, bars.open_ns, bars.interval_s * NS_PER_S, columns):
                merged.setdefault(bar.end_ns, []).append((symbol, bar))
        return iter(sorted(merged.items()))

    def _decide(self, node_id: str, time_ns: int, target: float, price: float) -> None:
        planner = self._planners[node_id]
        if target == planner.last:
            return
        self._strategy.on_signal(Signal(self._names[node_id], time_ns, target))
        symbol = planner.rule.symbol
        self._cancel_open(symbol, time_ns)
        holding = Holding(self._account.position(symbol), self._account.equity(self.currency))
        intent = planner.plan(time_ns, target, price, holding)
        if intent is not None:
            self._take(self._submit(intent))

    def _cancel_open(self, symbol: str, time_ns: int) -> None:
        """A new target replaces what an older one left open; what that got is kept."""
        for record in self._account.desk.open_orders(symbol):
            self._account.cancel(record.order.client_order_id, time_ns)

    def _submit(self, intent: Intent) -> list[OrderEvent]:
        side = Side.BUY if intent.quantity > 0 else Side.SELL
        return self._account.market(
            intent.symbol, side, abs(intent.quantity), intent.decided_ns, intent.client_order_id
        )

    def _take(self, events: Iterable[OrderEvent]) -> None:
        for event in events:
            if event.kind is EventKind.FILLED:
                fill = fill_of(self._account, event)
                self._tape.fills.append(fill)
                self._strategy.on_fill(fill)
            elif event.kind is EventKind.DENIED:
                name = self._account.desk.records[event.order_id].order.client_order_id
                self._tape.refusals.append(DeniedOrder(name, event.denial.value if event.denial else "", event.at_ns))

    def _mark(self, time_ns: int) -> None:
        self._tape.times.append(time_ns)
        self._tape.equity.append(self._account.equity(self.currency))
        self._tape.invested += any(self._account.position(symbol) for symbol in self._data)


def _traded(assembled: Assembled, data: Sequence[Bars]) -> list[Bars]:
    bound = bind(assembled.dag, data)
    symbols = {rule.symbol: rule.command.interval_s for rule in assembled.rules}
    return [bars for bars in bound.values() if symbols.get(bars.symbol) == bars.interval_s]


def _one_currency(quotes: set[str]) -> str:
    if len(quotes) != 1:
        raise refused("E_CURRENCIES", "symbols", ", ".join(sorted(quotes)), "one quote currency in a local backtest")
    return quotes.pop()
