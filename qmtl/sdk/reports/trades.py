"""The report of what fills made: trades by lots, how far each went for and against, and the equity they led to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.decimals import to_decimal
from qmtl.core.errors import refused
from qmtl.core.fills import FillEvent
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.graph.schemas import OHLCV
from qmtl.sdk.reports.plots import Curve, draw_curve
from qmtl.stats.lot_trades import EXACT, LotTrade, LotTrades, excursions, lot_trades
from qmtl.stats.trades import ShareStep, SplitStep

if TYPE_CHECKING:
    from qmtl.core.arrays import Floats

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


@dataclass(frozen=True, slots=True)
class TradeReport:
    """Trades, and of each in the same order MAE and MFE; None where the bars of its time are not known."""

    trades: LotTrades
    reaches: tuple[tuple[Decimal, Decimal] | None, ...]
    traded: TradedWith

    @property
    def totals(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Gross profit and fees of the trades by quote currency."""
        found: dict[str, tuple[Decimal, Decimal]] = {}
        for trade in self.trades.trades:
            quote = self.traded.currencies[trade.symbol][1]
            gross, fees = found.get(quote, (ZERO, ZERO))
            found[quote] = EXACT.add(gross, trade.gross), EXACT.add(fees, trade.fees)
        return found

    def draw(self, title: str, fills: Sequence[FillEvent], bars: Sequence[Bars], path: Path) -> Path:
        """Draw equity, drawdown and fills. Raises InvalidRequest (E_CURRENCIES), NotReady (E_NO_MATPLOTLIB)."""
        quotes = {quote for _, quote in self.traded.currencies.values()}
        if len(quotes) > 1:
            raise refused("E_CURRENCIES", "quotes", ", ".join(sorted(quotes)), "one currency to draw equity in")
        known = {series.symbol for series in bars}
        bare = [_no_bars(symbol) for symbol in sorted({fill.symbol for fill in fills} - known)]
        curve = equity_curve(fills, self.traded, bars, next(iter(quotes), ""))
        return draw_curve(title, curve, (*bars, *bare), path)


def trade_report(
    fills: Sequence[FillEvent], traded: TradedWith, bars: Sequence[Bars] = (), steps: Sequence[ShareStep] = ()
) -> TradeReport:
    """The report of fills in the order they were booked, and of splits and conversions of what was held."""
    found = lot_trades(fills, traded.currencies, traded.multipliers, steps, traded.lot_sizes)
    known = {series.symbol: series for series in bars}
    reaches = (
        None if _changed(one, steps) else _reach(one, known.get(one.symbol), traded.multipliers.get(one.symbol, ONE))
        for one in found.trades
    )
    return TradeReport(found, tuple(reaches), traded)


def _changed(trade: LotTrade, steps: Iterable[ShareStep]) -> bool:
    """Whether its shares became others meanwhile: prices before are of other shares."""
    return any(
        trade.symbol in (step.symbol, "" if isinstance(step, SplitStep) else step.into)
        and trade.entry_ns <= step.time_ns <= trade.exit_ns
        for step in steps
    )


def equity_curve(fills: Sequence[FillEvent], traded: TradedWith, bars: Sequence[Bars], currency: str) -> Curve:
    """The money it began with and what the fills made of it, at the close of each bar, and at fills where none are.

    A position counts at the last close of its symbol, or at its last fill where no bar is known.
    """
    closes = {series.symbol: series for series in bars}
    times = np.unique(
        np.concatenate(
            [np.array([fill.time_ns for fill in fills], dtype=np.int64), *(series.close_ns for series in bars)]
        )
    )
    if fills:
        times = times[times >= fills[0].time_ns]
    equity = np.full(len(times), float(traded.start))
    for symbol in {fill.symbol for fill in fills}:
        mine = [fill for fill in fills if fill.symbol == symbol]
        equity += _worth(mine, traded, times, closes.get(symbol))
    return Curve(times, equity, currency, fills)


def _no_bars(symbol: str) -> Bars:
    """A symbol of which only fills are drawn."""
    return Bars(symbol, 1, np.zeros(0, dtype=np.int64), np.zeros((0, len(OHLCV.fields))))


def _worth(fills: Sequence[FillEvent], traded: TradedWith, times: np.ndarray, series: Bars | None) -> Floats:
    """What the fills of one symbol are worth at each time: the cash they made, and what is held at its mark."""
    base, quote = traded.currencies[fills[0].symbol]
    multiplier = traded.multipliers.get(fills[0].symbol, ONE)
    cash, held, steps = ZERO, ZERO, [(0.0, 0.0)]
    for fill in fills:
        cash -= fill.quantity * fill.price * multiplier + (fill.fee if fill.fee_currency == quote else ZERO)
        held += fill.quantity - (fill.fee if fill.fee_currency == base else ZERO)
        steps.append((float(cash), float(held * multiplier)))
    at = np.searchsorted(np.array([fill.time_ns for fill in fills]), times, side="right")
    table = np.array(steps)[at]
    prices = np.array([float(fills[0].price), *(float(fill.price) for fill in fills)])[at]
    if series is not None and len(series):
        row = np.searchsorted(series.close_ns, times, side="right") - 1
        prices = np.where(row >= 0, series.values[np.maximum(row, 0), _CLOSE], prices)
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
