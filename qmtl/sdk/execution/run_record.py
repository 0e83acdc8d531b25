"""The record of a run, bar by bar, and its result: the same for a local replay and a paper session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import starmap
from typing import TYPE_CHECKING

import numpy as np

from brokerage.domain.money import currency_scale
from brokerage.domain.simulation.carry import Payment
from qmtl.calendars.published import sessions_of
from qmtl.core.decimals import from_scaled
from qmtl.core.fills import FillEvent
from qmtl.sdk.execution.port import Cancel, DeniedOrder, SentOrder
from qmtl.sdk.execution.records.columns import Activity, FillColumns, activity_of
from qmtl.sdk.execution.records.equity_series import EquitySeries
from qmtl.sdk.execution.records.traces import Trace
from qmtl.stats.activity import activity, costs_of
from qmtl.stats.performance import performance
from qmtl.stats.returns import UTC_DAYS, Sessions
from qmtl.stats.trades import ShareStep, Trade, round_trips

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times


@dataclass(frozen=True, slots=True)
class MarginCall:
    """A reduction that the account forced, or the warning of one, and its sentence."""

    time_ns: int
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """The result of a run, from the bar of the first possible decision on. Equity is at each close.

    `ended` says why the run ended before its data did; `margin_calls` are the sentences of forced reductions, and
    `margin_warnings` those that came before, each time 5 % or less was left to one (MarginState). `carried`
    is what time brought in the run's currency, by kind: INTEREST, BORROW, FUNDING, VARIATION. `visited`: at how many
    bars' closes a local replay had to look, by the reason; at the others nothing could happen. `assumptions`: what was
    assumed where no table says it. `orders` and `cancels` are all that it sent, in order, what was denied too: an order
    list that a brokerage can replay. `path`: how a local replay went: "every bar", "past quiet bars: <why no part of it
    was taken in integers>", "in integers: <bars> of <bars>", or "compiled: <bars> of <bars>" where that was compiled.
    `sessions`: the days that its ratios are of. `calendars`: the exchange of each symbol traded, empty where it never
    closes. `undecided`: which symbols no target ever came for, and of how many bars: a sentence each. `stuck`: what is
    held at the end of symbols that trade no more, valued at their last prices: a sentence each. `multipliers`: the
    value of one unit per unit of price, by symbol. `steps`: splits and conversions of what was held, in order.
    """

    currency: str
    time_ns: Times
    equity: EquitySeries
    fills: Sequence[FillEvent]
    trades: tuple[Trade, ...]
    denials: tuple[DeniedOrder, ...]
    metrics: Mapping[str, float]
    margin_calls: tuple[MarginCall, ...] = ()
    margin_warnings: tuple[MarginCall, ...] = ()
    ended: str = ""
    carried: Mapping[str, Decimal] = field(default_factory=dict)
    visited: Mapping[str, int] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    orders: Sequence[SentOrder] = ()
    cancels: tuple[Cancel, ...] = ()
    path: str = ""
    sessions: Sessions = UTC_DAYS
    calendars: Mapping[str, str] = field(default_factory=dict)
    undecided: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    multipliers: Mapping[str, Decimal] = field(default_factory=dict)
    steps: tuple[ShareStep, ...] = ()

    @property
    def equity_floats(self) -> Floats:
        return self.equity.floats


@dataclass(slots=True)
class RunRecord:
    """The recording while it runs; `equity` is in units of the currency's scale, `invested` counts the bars with an
    open position. `multipliers` are the instruments' values of one unit per unit of price, `calendars` the exchange of
    each symbol, empty where it never closes.
    """

    times: Sequence[int] | Times = field(default_factory=list)
    equity: Sequence[int] | Times = field(default_factory=list)
    invested: int = 0
    fills: Trace[FillEvent] = field(default_factory=Trace)
    denials: list[DeniedOrder] = field(default_factory=list)
    margin_calls: list[MarginCall] = field(default_factory=list)
    margin_warnings: list[MarginCall] = field(default_factory=list)
    ended: str = ""
    carried: dict[str, Decimal] = field(default_factory=dict)
    multipliers: Mapping[str, Decimal] = field(default_factory=dict)
    calendars: Mapping[str, str] = field(default_factory=dict)
    undecided: tuple[str, ...] = ()
    steps: list[ShareStep] = field(default_factory=list)
    visited: dict[str, int] = field(default_factory=dict)
    assumptions: list[str] = field(default_factory=list)
    orders: Sequence[SentOrder] = ()
    cancels: Sequence[Cancel] = ()
    path: str = ""
    stuck: tuple[str, ...] = ()

    def pay(self, currency: str, payments: Iterable[Payment]) -> None:
        """Count what time has moved in a currency."""
        for payment in payments:
            if payment.note and payment.note not in self.assumptions:
                self.assumptions.append(payment.note)
            if payment.currency == currency and payment.amount:
                amount = from_scaled(payment.amount, currency_scale(currency))
                self.carried[payment.kind.value] = self.carried.get(payment.kind.value, Decimal(0)) + amount


def result_of(record: RunRecord, currency: str) -> RunResult:
    """The result of a record: round trips and metrics added. Ratios are of the sessions of what was traded."""
    made = None if record.steps else _in_integers(record.fills)
    if made is None:
        trades = round_trips(record.fills, currency, record.multipliers, record.steps)
    else:
        trades = tuple(starmap(Trade, made.trips))
    times = np.asarray(record.times, dtype=np.int64)
    curve = EquitySeries(np.asarray(record.equity, dtype=np.int64), currency_scale(currency))
    equity = curve.floats
    metrics: dict[str, float] = {}
    sessions = _sessions(frozenset(record.calendars.values()), times)
    if len(equity):
        metrics = performance(times, equity, trades, sessions=sessions)
        fees, notional = _sums(record, currency) if made is None else (float(made.fees), float(made.notional))
        metrics |= activity(fees, notional, record.invested, times, equity)
    return RunResult(
        currency,
        times,
        curve,
        record.fills,
        trades,
        tuple(record.denials),
        metrics,
        tuple(record.margin_calls),
        tuple(record.margin_warnings),
        record.ended,
        record.carried,
        record.visited,
        tuple(record.assumptions),
        record.orders,
        tuple(record.cancels),
        record.path,
        sessions,
        record.calendars,
        record.undecided,
        record.stuck,
        record.multipliers,
        steps=tuple(record.steps),
    )


def _in_integers(fills: Trace[FillEvent]) -> Activity | None:
    """What the fills of compiled stretches came to, where all are of those."""
    parts = [part for part in fills.columns or () if isinstance(part, FillColumns)]
    return activity_of(parts) if parts else None


def _sums(record: RunRecord, currency: str) -> tuple[float, float]:
    fees, notional = costs_of(record.fills, currency, record.multipliers)
    return float(fees), float(notional)


def _sessions(calendars: frozenset[str], times: Times) -> Sessions:
    if not len(times):
        return UTC_DAYS
    per_year, closes = sessions_of(calendars, int(times[0]), int(times[-1]))
    return Sessions(per_year, None if closes is None else np.array(closes, dtype=np.int64))
