"""Trades of a local run as rows: what each lot made, how far it went either way, and why it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.orders.order import order_id
from qmtl.core.fills import FillEvent
from qmtl.core.instants import from_ns
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.exits import STOP, TARGET, TRAIL
from qmtl.sdk.execution.port import SubmitList
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.reports.trades import TradedWith, TradeReport, trade_report
from qmtl.stats.lot_trades import LotTrade
from qmtl.stats.trades import ShareStep, SplitStep

if TYPE_CHECKING:
    import polars as pl

SIGNAL, CALLED, ACTED, OTHER = "target changed", "margin call", "corporate action", "other"
EXITS = {STOP: "stop", TRAIL: "trailing stop", TARGET: "take profit"}


@dataclass(frozen=True, slots=True)
class TradeRow:
    """One lot: a trade, its MAE and MFE where the bars are known, how many bars it was held, and why it ended."""

    trade: LotTrade
    mae: Decimal | None
    mfe: Decimal | None
    bars_held: int
    ended_by: str


def local_report(replay: RunResult, bars: Sequence[Bars], terms: AccountTerms) -> TradeReport:
    """The trades of a run by lots, first in first out, exact; over splits, exchanges and delistings lots go on in the
    shares that they became, and what was paid in cash for shares is a trade.
    """
    symbols = sorted({fill.symbol for fill in replay.fills} | {_into(step) for step in replay.steps} - {""})
    account = SimulatedAccount(terms.brokerage, {}, instruments=terms.instruments)
    traded = {symbol: account.instrument(symbol) for symbol in symbols}
    with_what = TradedWith.of(traded, terms.cash)
    return trade_report(replay.fills, with_what, _traded_bars(bars, symbols), replay.steps)


def _into(step: ShareStep) -> str:
    return "" if isinstance(step, SplitStep) else step.into


def trade_rows(replay: RunResult, report: TradeReport, bars: Sequence[Bars]) -> list[TradeRow]:
    """A row a trade, in the order in which they ended."""
    series = {each.symbol: each for each in _traded_bars(bars, [trade.symbol for trade in report.trades.trades])}
    reasons = _Reasons(replay)
    rows = []
    for trade, reach in zip(report.trades.trades, report.reaches, strict=True):
        mae, mfe = reach or (None, None)
        rows.append(TradeRow(trade, mae, mfe, _bars_held(trade, series[trade.symbol]), reasons.of(trade)))
    return rows


def trade_frame(rows: Iterable[TradeRow]) -> pl.DataFrame:
    """Rows as a polars frame: symbol, side, quantity, entry and exit with time (UTC) and price, gross, fees, net, mae,
    mfe (quote currency), bars_held, ended_by. Numbers are floats here; TradeRow has them exact.
    """
    import polars as pl

    time = pl.Datetime("ns", "UTC")
    schema: dict[str, type[pl.DataType] | pl.DataType] = {
        "symbol": pl.String,
        "side": pl.String,
        "quantity": pl.Float64,
        "entry_time": time,
        "entry_price": pl.Float64,
        "exit_time": time,
        "exit_price": pl.Float64,
        "gross": pl.Float64,
        "fees": pl.Float64,
        "net": pl.Float64,
        "mae": pl.Float64,
        "mfe": pl.Float64,
        "bars_held": pl.Int64,
        "ended_by": pl.String,
    }
    return pl.DataFrame([dict(zip(schema, _cells(row), strict=True)) for row in rows], schema=schema)


def _cells(row: TradeRow) -> Iterator[object]:
    trade = row.trade
    yield from (trade.symbol, "long" if trade.quantity > 0 else "short", float(abs(trade.quantity)))
    yield from (from_ns(trade.entry_ns), float(trade.entry_price), from_ns(trade.exit_ns), float(trade.exit_price))
    yield from (float(trade.gross), float(trade.fees), float(trade.net))
    yield from (None if reach is None else float(reach) for reach in (row.mae, row.mfe))
    yield from (row.bars_held, row.ended_by)


def _traded_bars(bars: Sequence[Bars], symbols: Sequence[str]) -> list[Bars]:
    """The finest bars of each symbol."""
    finest: dict[str, Bars] = {}
    for each in sorted(bars, key=lambda one: one.interval_s):
        finest.setdefault(each.symbol, each)
    return [finest[symbol] for symbol in dict.fromkeys(symbols) if symbol in finest]


def _bars_held(trade: LotTrade, series: Bars) -> int:
    """Bars that opened from its entry on and before its exit."""
    first, last = np.searchsorted(series.open_ns, (trade.entry_ns, trade.exit_ns))
    return int(last - first)


class _Reasons:
    """Why trades ended, by the orders whose fills ended them."""

    def __init__(self, replay: RunResult) -> None:
        self._names: dict[str, str] = {}
        for sent in replay.orders:
            for order in sent.orders if isinstance(sent, SubmitList) else (sent,):
                self._names[order_id(LOCAL, order.client_order_id)] = order.client_order_id
        self._fills: Mapping[tuple[str, int], list[FillEvent]] = {}
        fills: dict[tuple[str, int], list[FillEvent]] = {}
        for fill in replay.fills:
            fills.setdefault((fill.symbol, fill.time_ns), []).append(fill)
        self._fills = fills
        self._called = bool(replay.margin_calls)
        self._acted = {(step.symbol, step.time_ns) for step in replay.steps}

    def of(self, trade: LotTrade) -> str:
        for fill in self._fills.get((trade.symbol, trade.exit_ns), ()):
            if (fill.quantity > 0) != (trade.quantity > 0) and fill.price == trade.exit_price:
                name = self._names.get(fill.trade_id.rpartition("-")[0])
                if name is None:
                    return CALLED if self._called else OTHER
                return next((said for suffix, said in EXITS.items() if name.endswith(suffix)), SIGNAL)
        return ACTED if (trade.symbol, trade.exit_ns) in self._acted else OTHER
