"""A list of orders and cancels over bars: what a backtest that sent them would have been.

Acts are decided at the close of a bar or later, before the next close: what companies did and bars come first, then
margin calls, then what was decided, in the order of the list. The code is that of the simulated account; bars at whose
close nothing can happen are passed by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import numpy.typing as npt

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.backtest.actions import ActionResult, CorporateActions
from brokerage.domain.backtest.quiet import Why, next_visit
from brokerage.domain.backtest.timeline import Steps, Timeline
from brokerage.domain.backtest.valuation import EquityCurve
from brokerage.domain.models.corporate import CorporateAction
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Order
from brokerage.domain.simulation.carry import Payment
from qmtl.stats.trades import ShareStep


@dataclass(frozen=True, slots=True)
class Cancel:
    """A cancel of an order of the list. `orders_before` is how many orders of it were sent before; None: all that were
    decided before its instant.
    """

    client_order_id: str
    decided_ns: int
    orders_before: int | None = None


@dataclass(frozen=True, slots=True)
class OrderStep:
    """An event of an order of the list, or of a margin call."""

    order: Order
    event: OrderEvent


@dataclass(slots=True)
class ReplayedOrders:
    """What became of a list: fills and denials in order, margin calls as time and sentence, what time paid by kind, and
    equity at closes, scaled, `invested` of them with an open position. `ended` says why it ended before its data did;
    `opening_carried` is what time paid by the instant that was asked for.
    `visited` counts closes by `Why`. `acted` is what companies did, `steps` that for the round trips, and `stuck` a
    sentence for each symbol that is held and trades no more.
    """

    fills: list[OrderStep] = field(default_factory=list)
    denials: list[OrderStep] = field(default_factory=list)
    margin_calls: list[tuple[int, str]] = field(default_factory=list)
    carried: dict[str, int] = field(default_factory=dict)
    opening_carried: dict[str, int] = field(default_factory=dict)
    ended: str = ""
    times: Steps = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    equity: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    invested: int = 0
    visited: dict[str, int] = field(default_factory=dict)
    acted: list[ActionResult] = field(default_factory=list)
    steps: list[ShareStep] = field(default_factory=list)
    stuck: tuple[str, ...] = ()


Act = Cancel | Sequence[Order]
"""A cancel, or an order by itself, or all orders of one list."""


def acts_of(orders: Sequence[Order], cancels: Sequence[Cancel]) -> list[tuple[int, Act]]:
    """Orders and cancels by the time they were decided, at one instant in the order they were sent. Orders of a list
    that follow each other are one act.
    """
    placed: list[tuple[tuple[int, int, bool], Act]] = [
        ((one.decided_ns, -1 if one.orders_before is None else one.orders_before, False), one) for one in cancels
    ]
    for _, group in groupby(enumerate(orders), lambda pair: pair[1].list_id or pair[0]):
        numbered = list(group)
        together = [order for _, order in numbered]
        placed.append(((max(order.decided_ns or 0 for order in together), numbered[0][0], True), together))
    return [(place[0], act) for place, act in sorted(placed, key=lambda pair: pair[0])]


class OrderListReplay:
    """One list over one time line in one account, while companies act. `every`: look at every close. `spend` is told
    before each visit how many orders are looked at; what it raises ends the replay.

    Raises InvalidRequest (E_FIELD) for `actions` that the bars contradict, as `CorporateActions` says.
    """

    def __init__(
        self,
        account: SimulatedAccount,
        timeline: Timeline,
        acts: Iterable[tuple[int, Act]],
        currency: str,
        *,
        every: bool = False,
        spend: Callable[[int], None] | None = None,
        actions: Iterable[CorporateAction] = (),
        opening_ns: int = -1,
    ) -> None:
        self._opening_ns = opening_ns
        self._account, self._timeline, self._currency, self._every = account, timeline, currency, every
        self._spend = spend
        self._actions = CorporateActions(account, actions, timeline.columns)
        self._curve = EquityCurve(timeline, account.book.ledger, currency)
        self._told = ReplayedOrders()
        self._acts: dict[int, list[tuple[int, Act]]] = {}
        for at_ns, act in acts:
            step = int(np.searchsorted(timeline.ends, at_ns, side="right")) - 1
            self._acts.setdefault(step, []).append((at_ns, act))
        self._due = np.array(sorted(self._acts), dtype=np.int64)

    def run(self, after_ns: int = -1) -> ReplayedOrders:
        """Step through time; equity is told of closes after an instant."""
        begin = int(np.searchsorted(self._timeline.ends, after_ns, side="right"))
        end, step = len(self._timeline), 0
        self._decide(-1)
        why: Why | None = Why.BEGIN
        while step < end:
            if self._spend is not None:
                self._spend(len(self._account.book.open_orders()))
            self._visit(step)
            self._curve.note(step)
            if why is not None:
                self._told.visited[why.name] = self._told.visited.get(why.name, 0) + 1
            step += 1
            if self._told.ended and not any(self._account.book.held(symbol) for symbol in self._timeline.columns):
                end = step
            elif step < end:
                step, why = self._next(step, end)
        if begin < end:
            self._told.times = self._timeline.ends[begin:end]
            self._told.equity, self._told.invested = self._curve.between(begin, end)
        self._told.stuck = self._actions.stuck()
        return self._told

    def _next(self, step: int, end: int) -> tuple[int, Why | None]:
        """The next step to visit and why; all before it are passed by."""
        if self._every:
            return step, Why.EVERY
        if self._told.ended or self._actions.waits:
            return step, Why.ENDING if self._told.ended else Why.ACTION
        at, why = int(np.searchsorted(self._due, step)), Why.DECISION
        found = min(int(self._due[at]), end) if at < len(self._due) else end
        acts_ns = self._actions.next_ns()
        if acts_ns is not None and (acts := self._timeline.step_after(acts_ns, step)) < found:
            found, why = acts, Why.ACTION
        sooner, other = next_visit(self._account, self._timeline, step, found, self._currency)
        if sooner < found:
            return self._pass_by(step, sooner), other
        return self._pass_by(step, found), why if found < end else None

    def _pass_by(self, step: int, found: int) -> int:
        if found > step:
            marks = {symbol: self._timeline.mark(symbol, found - 1) for symbol in self._timeline.columns}
            self._account.pass_by({symbol: mark for symbol, mark in marks.items() if mark is not None})
        return found

    def _visit(self, step: int) -> None:
        account, time_ns = self._account, int(self._timeline.ends[step])
        bars = self._timeline.bars_at(step)
        begin_ns = min(bar.start_ns for _, bar in bars)
        self._pay(account.advance(begin_ns))
        self._acted(self._actions.end(begin_ns, len(self._told.fills)))
        for symbol, bar in bars:
            self._acted(self._actions.before(symbol, bar, len(self._told.fills)))
            self._take(account.on_bar(symbol, bar))
        self._pay(account.advance(time_ns))
        self._acted(self._actions.end(time_ns, len(self._told.fills)))
        call = account.margin_call(time_ns)
        if call is not None and (call.reductions or not self._told.ended):  # what nobody can close is told once
            self._told.margin_calls.append((time_ns, call.message))
            self._told.ended = self._told.ended or (call.message if call.ruined else "")
        self._decide(step)

    def _decide(self, step: int) -> None:
        """What was decided at the close of a step, or before the next."""
        for at_ns, act in self._acts.get(step, ()):
            if self._told.ended:
                return
            self._pay(self._account.advance(at_ns) if step >= 0 else [])
            if isinstance(act, Cancel):
                self._account.cancel(act.client_order_id, at_ns)
            elif len(act) == 1 and not act[0].list_id:
                self._take(self._account.submit(act[0], at_ns))
            else:
                self._take(self._account.submit_list(act, at_ns))

    def _acted(self, results: Iterable[ActionResult]) -> None:
        for result in results:
            self._take(result.events)
            self._pay(result.payments)
            self._told.acted.append(result)
            self._told.steps += result.steps

    def _take(self, events: Iterable[OrderEvent]) -> None:
        records = self._account.book.records
        for event in events:
            if event.fill is not None:
                self._told.fills.append(OrderStep(records[event.order_id].order, event))
            elif event.denial is not None:
                self._told.denials.append(OrderStep(records[event.order_id].order, event))

    def _pay(self, payments: Iterable[Payment]) -> None:
        for payment in payments:
            if payment.currency == self._currency and payment.amount:
                kind = payment.kind.value
                self._told.carried[kind] = self._told.carried.get(kind, 0) + payment.amount
                if payment.at_ns <= self._opening_ns:
                    self._told.opening_carried[kind] = self._told.opening_carried.get(kind, 0) + payment.amount
