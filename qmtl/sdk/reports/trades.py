"""The report of what fills made: trades by lots, how far each went for and against, and the equity they led to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brokerage.domain.market.instrument import Instrument
from qmtl.core.arrays.merging import merged_times
from qmtl.core.decimals import to_decimal
from qmtl.core.errors import refused
from qmtl.core.fills import FillEvent
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.graph.schemas import OHLCV
from qmtl.sdk.reports.plots import Curve, draw_curve
from qmtl.stats.lot_trades import EXACT, LotTrade, LotTrades, excursions, lot_trades
from qmtl.stats.trades import ShareStep, SplitStep

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats

ONE, ZERO = Decimal(1), Decimal(0)
_HIGH, _LOW, _CLOSE = OHLCV.column("high"), OHLCV.column("low"), OHLCV.column("close")


@dataclass(frozen=True, slots=True)
class TradedWith:
    """Base and quote of each symbol, the value of one unit per unit of price, the money that it began with, and the
    least quantities.
    """

    currencies: Mapping[str, tuple[str, str]]
    multipliers: Mapping[str, Decimal]
    start: Decimal = ZERO
    lot_sizes: Mapping[str, Decimal] = field(default_factory=dict)

    @classmethod
    def of(cls, instruments: Mapping[str, Instrument], start: Decimal) -> TradedWith:
        """As the properties of the symbols say."""
        return cls(
            {symbol: (one.base, one.quote) for symbol, one in instruments.items()},
            {symbol: one.multiplier for symbol, one in instruments.items()},
            start,
            {symbol: one.quantity_decimal(one.lot) for symbol, one in instruments.items()},
        )


@dataclass(frozen=True, slots=True)
class CashPaid:
    """Money that came in without a trade (negative: was paid), such as a dividend or funding, and when."""

    kind: str
    currency: str
    amount: Decimal
    time_ns: int


@dataclass(frozen=True, slots=True)
class TradeReport:
    """Trades, and of each in the same order MAE and MFE; None where the bars of its time are not known. Beside them
    what became of the shares that were held, and the money that came in without a trade.
    """

    trades: LotTrades
    reaches: tuple[tuple[Decimal, Decimal] | None, ...]
    traded: TradedWith
    steps: tuple[ShareStep, ...] = ()
    paid: tuple[CashPaid, ...] = ()

    @property
    def totals(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Gross profit and fees of the trades by quote currency."""
        found: dict[str, tuple[Decimal, Decimal]] = {}
        for trade in self.trades.trades:
            quote = self.traded.currencies[trade.symbol][1]
            gross, fees = found.get(quote, (ZERO, ZERO))
            found[quote] = EXACT.add(gross, trade.gross), EXACT.add(fees, trade.fees)
        return found

    @property
    def paid_totals(self) -> dict[tuple[str, str], Decimal]:
        """What came in without a trade, by kind and currency."""
        found: dict[tuple[str, str], Decimal] = {}
        for one in self.paid:
            key = (one.kind, one.currency)
            found[key] = EXACT.add(found.get(key, ZERO), one.amount)
        return found

    def draw(self, title: str, fills: Sequence[FillEvent], bars: Sequence[Bars], path: Path) -> Path:
        """Draw equity, drawdown and fills. Raises InvalidRequest (E_CURRENCIES), NotReady (E_NO_MATPLOTLIB)."""
        quotes = {quote for _, quote in self.traded.currencies.values()}
        if len(quotes) > 1:
            raise refused("E_CURRENCIES", "quotes", ", ".join(sorted(quotes)), "one currency to draw equity in")
        known = {series.symbol for series in bars}
        bare = [_no_bars(symbol) for symbol in sorted({fill.symbol for fill in fills} - known)]
        curve = equity_curve(fills, self.traded, bars, next(iter(quotes), ""), self.steps, self.paid)
        return draw_curve(title, curve, (*bars, *bare), path)


def trade_report(
    fills: Sequence[FillEvent],
    traded: TradedWith,
    bars: Sequence[Bars] = (),
    steps: Sequence[ShareStep] = (),
    paid: Sequence[CashPaid] = (),
) -> TradeReport:
    """The report of fills in the order they were booked, of splits and conversions of what was held, and of what was
    paid beside them.
    """
    found = lot_trades(fills, traded.currencies, traded.multipliers, steps, traded.lot_sizes)
    known = {series.symbol: series for series in bars}
    reaches = (
        None if _changed(one, steps) else _reach(one, known.get(one.symbol), traded.multipliers.get(one.symbol, ONE))
        for one in found.trades
    )
    return TradeReport(found, tuple(reaches), traded, tuple(steps), tuple(paid))


def _changed(trade: LotTrade, steps: Iterable[ShareStep]) -> bool:
    """Whether its shares became others meanwhile: prices before are of other shares."""
    return any(
        trade.symbol in (step.symbol, "" if isinstance(step, SplitStep) else step.into)
        and trade.entry_ns <= step.time_ns <= trade.exit_ns
        for step in steps
    )


def equity_curve(
    fills: Sequence[FillEvent],
    traded: TradedWith,
    bars: Sequence[Bars],
    currency: str,
    steps: Sequence[ShareStep] = (),
    paid: Sequence[CashPaid] = (),
) -> Curve:
    """The money it began with, what the fills made of it and what was paid in `currency`, at the close of each bar, and
    at fills where none are.

    A position counts at the last close of its symbol, or at its last fill where no bar is known; after a split, until
    the next close, at that price over its ratio.
    """
    closes = {series.symbol: series for series in bars}
    times = merged_times([np.array([fill.time_ns for fill in fills], dtype=np.int64), *(one.close_ns for one in bars)])
    if fills:
        times = times[times >= fills[0].time_ns]
    equity = np.full(len(times), float(traded.start))
    for symbol, moves in _moves(fills, traded, steps).items():
        equity += _worth(moves, times, closes.get(symbol))
    mine = sorted((one for one in paid if one.currency == currency), key=lambda one: one.time_ns)
    sums = np.cumsum([0.0, *(float(one.amount) for one in mine)])
    equity += sums[np.searchsorted(np.array([one.time_ns for one in mine], dtype=np.int64), times, side="right")]
    return Curve(times, equity, currency, fills)


def _no_bars(symbol: str) -> Bars:
    """A symbol of which only fills are drawn."""
    return Bars(symbol, 1, np.zeros(0, dtype=np.int64), np.zeros((0, len(OHLCV.fields))))


@dataclass(frozen=True, slots=True)
class _Move:
    """What a fill or a step changed in one symbol: cash, what is held times the multiplier, and the price of the fill.

    Without a price (0) that of before goes on, over the ratio of a split.
    """

    time_ns: int
    cash: Decimal
    held: Decimal
    price: Decimal
    ratio: Fraction = Fraction(1)


def _moves(fills: Sequence[FillEvent], traded: TradedWith, steps: Sequence[ShareStep]) -> dict[str, list[_Move]]:
    """The moves of each symbol, in order of time."""
    held: dict[tuple[str, str], Decimal] = {}
    moves: dict[str, list[_Move]] = {}

    def move(account: str, symbol: str, change: Decimal, made: _Move) -> None:
        held[account, symbol] = held.get((account, symbol), ZERO) + change
        worth = change * traded.multipliers.get(symbol, ONE)
        moves.setdefault(symbol, []).append(replace(made, held=worth))

    def take(step: ShareStep) -> None:
        before = held.get((step.account, step.symbol), ZERO)
        if isinstance(step, SplitStep):
            move(step.account, step.symbol, step.held - before, _Move(step.time_ns, step.cash, ZERO, ZERO, step.ratio))
            return
        move(step.account, step.symbol, -before, _Move(step.time_ns, step.cash, ZERO, ZERO))
        if step.into:
            move(step.account, step.into, step.received, _Move(step.time_ns, ZERO, ZERO, ZERO))

    waiting = deque(steps)
    for number, fill in enumerate(fills):
        while waiting and waiting[0].fills_before <= number:
            take(waiting.popleft())
        base, quote = traded.currencies[fill.symbol]
        cash = -fill.quantity * fill.price * traded.multipliers.get(fill.symbol, ONE)
        cash -= fill.fee if fill.fee_currency == quote else ZERO
        received = fill.quantity - (fill.fee if fill.fee_currency == base else ZERO)
        move(fill.account, fill.symbol, received, _Move(fill.time_ns, cash, ZERO, fill.price))
    for step in waiting:
        take(step)
    return {symbol: sorted(mine, key=lambda one: one.time_ns) for symbol, mine in moves.items()}


def _worth(moves: Sequence[_Move], times: np.ndarray, series: Bars | None) -> Floats:
    """What the moves of one symbol are worth at each time: the cash they made, and what is held at its mark."""
    cash, held, price = ZERO, ZERO, next((float(one.price) for one in moves if one.price), 0.0)
    rows = [(0.0, 0.0, price)]
    for one in moves:
        cash, held = cash + one.cash, held + one.held
        price = float(one.price) if one.price else price / float(one.ratio)
        rows.append((float(cash), float(held), price))
    table = np.array(rows)[np.searchsorted(np.array([one.time_ns for one in moves]), times, side="right")]
    prices = table[:, 2]
    if series is not None and len(series):
        row = np.searchsorted(series.close_ns, times, side="right") - 1
        closed = series.close_ns[np.maximum(row, 0)]
        last = series.values[np.maximum(row, 0), _CLOSE]
        for one in (move for move in moves if move.ratio != 1):
            last = np.where((closed <= one.time_ns) & (one.time_ns <= times), last / float(one.ratio), last)
        prices = np.where(row >= 0, last, prices)
    worth: Floats = table[:, 0] + table[:, 1] * prices
    return worth


def _reach(trade: LotTrade, series: Bars | None, multiplier: Decimal) -> tuple[Decimal, Decimal] | None:
    """By the bars that lie whole within a trade; None unless the bars reach from its entry to its exit."""
    if series is None or not len(series):
        return None
    if series.open_ns[0] > trade.entry_ns or series.close_ns[-1] < trade.exit_ns:
        return None
    first = int(np.searchsorted(series.open_ns, trade.entry_ns))
    last = int(np.searchsorted(series.close_ns, trade.exit_ns, side="right"))
    rows = series.values[first:last]
    lows, highs = ([to_decimal(value) for value in rows[:, column].tolist()] for column in (_LOW, _HIGH))
    return excursions(trade, lows, highs, multiplier)
