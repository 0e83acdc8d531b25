"""A tear sheet: one HTML file with everything in it, pictures inline, nothing fetched."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from qmtl.core.errors import NotReady
from qmtl.core.instants import from_ns
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.reports.benchmark import buy_and_hold
from qmtl.sdk.reports.documents import iso
from qmtl.sdk.reports.plots import replay_figure
from qmtl.sdk.reports.tables import show_metric
from qmtl.sdk.reports.trade_frame import TradeRow
from qmtl.stats.ratios import sharpe
from qmtl.stats.returns import Sessions, daily, returns_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qmtl.core.arrays.types import Floats, Times

ROLLING_DAYS = 30
TRADES_SHOWN = 500
_STYLE = """body{font:14px system-ui,sans-serif;margin:2em auto;max-width:1000px;color:#222}
table{border-collapse:collapse;margin:.5em 0 1.5em}td,th{padding:2px 12px 2px 0;text-align:right;white-space:nowrap}
th{color:#777;font-weight:normal}td:first-child,th:first-child{text-align:left}img{max-width:100%}
.problem{color:#b3423a;font-weight:bold}.up{background:#e5f2e6}.down{background:#f8e4e2}"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a tear sheet shows of a run."""

    name: str
    note: str
    problem: str
    replay: RunResult
    bars: Sequence[Bars]
    rows: Sequence[TradeRow]
    benchmark: Mapping[str, float]


def tearsheet_html(sheet: Sheet) -> str:
    """The page: what went wrong first, numbers beside buy and hold, pictures, months, denials, costs, trades.

    Raises NotReady (E_NO_MATPLOTLIB).
    """
    replay = sheet.replay
    parts = [f"<h1>{escape(sheet.name)}</h1>"]
    if sheet.problem:
        parts.append(f'<p class="problem">{escape(sheet.problem)}</p>')
    parts.append(f"<p>{escape(sheet.note)}</p>")
    parts += [f"<p>assumed: {escape(sentence)}</p>" for sentence in replay.assumptions]
    parts.append(_table(("", "run", "buy and hold"), _metric_rows(sheet)))
    if replay.denials:
        head = ("rule", "orders", "first", "last", "the last one")
        parts += ["<h2>Denied orders</h2>", _table(head, _denials(replay))]
    if len(replay.time_ns):
        parts += ["<h2>Equity, drawdown, trades on price</h2>", _image(replay_figure("", replay, sheet.bars))]
        parts += ["<h2>Beside buy and hold; rolling Sharpe; exposure</h2>", _image(_compared(sheet))]
        parts += ["<h2>Months</h2>", _months(replay.time_ns, replay.equity_floats)]
    parts += ["<h2>Costs</h2>", _table(("", replay.currency), _costs(sheet))]
    parts += [f"<h2>Trades ({len(sheet.rows)})</h2>", _table(_TRADE_HEAD, map(_trade_cells, sheet.rows[:TRADES_SHOWN]))]
    if len(sheet.rows) > TRADES_SHOWN:
        parts.append(f"<p>and {len(sheet.rows) - TRADES_SHOWN} more</p>")
    top = f'<meta charset="utf-8"><title>{escape(sheet.name)}</title><style>{_STYLE}</style>'
    return f"<!doctype html><html><head>{top}</head><body>{''.join(parts)}</body></html>\n"


_TRADE_HEAD = (
    "symbol", "side", "quantity", "entry", "at", "exit", "at", "net", "fees", "MAE", "MFE", "bars", "ended by",
)  # fmt: skip


def _trade_cells(row: TradeRow) -> tuple[str, ...]:
    trade = row.trade
    reaches = ("-" if reach is None else f"{reach:,.2f}" for reach in (row.mae, row.mfe))
    return (
        trade.symbol,
        "long" if trade.quantity > 0 else "short",
        f"{abs(trade.quantity):f}",
        iso(trade.entry_ns)[:16],
        f"{trade.entry_price:f}",
        iso(trade.exit_ns)[:16],
        f"{trade.exit_price:f}",
        f"{trade.net:,.2f}",
        f"{trade.fees:,.2f}",
        *reaches,
        str(row.bars_held),
        row.ended_by,
    )


def _metric_rows(sheet: Sheet) -> Iterable[tuple[str, str, str]]:
    for name, value in sheet.replay.metrics.items():
        other = sheet.benchmark.get(name)
        yield name, show_metric(name, value), "" if other is None else show_metric(name, other)


def _denials(replay: RunResult) -> Iterable[tuple[str, ...]]:
    for rule in dict.fromkeys(denial.rule for denial in replay.denials):
        found = [denial for denial in replay.denials if denial.rule == rule]
        last = found[-1]
        yield rule, str(len(found)), iso(found[0].time_ns), iso(last.time_ns), f"{last.symbol}: {last.message}"


def _costs(sheet: Sheet) -> Iterable[tuple[str, str]]:
    yield "fees", f"{sheet.replay.metrics.get('fees_paid', 0.0):,.2f}"
    yield from ((kind.lower(), f"{amount:,.2f}") for kind, amount in sheet.replay.carried.items())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return f"<table>{''.join(lines)}</table>"


def monthly_returns(times: Times, equity: Floats) -> dict[tuple[int, int], float]:
    """The return of each month of UTC that has a value, by (year, month); the first from the first value on."""
    found: dict[tuple[int, int], float] = {}
    ends, closes = daily(times, equity)
    before = float(equity[0])
    months = [(from_ns(end - 1).year, from_ns(end - 1).month) for end in ends.tolist()]
    for at, month in enumerate(months):
        if at + 1 == len(months) or months[at + 1] != month:
            found[month] = float(closes[at]) / before - 1.0 if before else float("nan")
            before = float(closes[at])
    return found


def _months(times: Times, equity: Floats) -> str:
    found = monthly_returns(times, equity)
    lines = ["<tr><th></th>" + "".join(f"<th>{month}</th>" for month in range(1, 13)) + "</tr>"]
    for year in sorted({year for year, _ in found}):
        cells = ""
        for month in range(1, 13):
            value = found.get((year, month))
            kind = "" if value is None else ' class="up"' if value >= 0 else ' class="down"'
            cells += f"<td{kind}>{'' if value is None else f'{value:.1%}'}</td>"
        lines.append(f"<tr><td>{year}</td>{cells}</tr>")
    return f"<table>{''.join(lines)}</table>"


def rolling_sharpe(times: Times, equity: Floats, sessions: Sessions, days: int = ROLLING_DAYS) -> tuple[Times, Floats]:
    """The Sharpe ratio of the last `days` daily returns, from the first day that has as many on."""
    ends, closes = daily(times, equity, sessions)
    returns = returns_of(np.concatenate([equity[:1], closes]))
    values = [sharpe(returns[at - days : at], sessions.per_year) for at in range(days, len(returns) + 1)]
    return ends[days - 1 :], np.array(values)


def _compared(sheet: Sheet) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NotReady("E_NO_MATPLOTLIB", "drawing needs matplotlib", hint="pip install 'qmtl[demo]'") from error
    times, equity = sheet.replay.time_ns, sheet.replay.equity_floats
    held = buy_and_hold(sheet.replay, sheet.bars)
    figure = Figure(figsize=(11, 7), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 1))
    dates = [from_ns(time_ns) for time_ns in times.tolist()]
    top.plot(dates, equity, color="#1f5f8b", linewidth=1.2, label="run")
    top.plot(dates, held, color="#999999", linewidth=0.8, label="buy and hold")
    top.set_ylabel(f"equity ({sheet.replay.currency})")
    top.legend(frameon=False, fontsize="small")
    ends, ratios = rolling_sharpe(times, equity, sheet.replay.sessions)
    middle.plot([from_ns(end) for end in ends.tolist()], ratios, color="#1f5f8b", linewidth=0.9)
    middle.set_ylabel(f"Sharpe, {ROLLING_DAYS} days")
    _draw_invested(bottom, sheet, dates)
    for axes in (top, middle, bottom):
        axes.grid(alpha=0.25)
    return figure


def _draw_invested(axes: Any, sheet: Sheet, dates: Sequence[object]) -> None:
    axes.fill_between(dates, exposure(sheet.replay, sheet.bars), 0.0, color="#1f5f8b", alpha=0.4, step="post")
    axes.set_ylabel("exposure (%)")


def exposure(replay: RunResult, bars: Sequence[Bars]) -> Floats:
    """The share of equity in positions at each close, in percent: contracts by their multiplier. NaN without equity."""
    times, equity = replay.time_ns, replay.equity_floats
    exposed = np.zeros(len(times))
    closes: dict[str, Floats] = {}
    for series in sorted(bars, key=lambda one: -one.interval_s):
        row = np.maximum(np.searchsorted(series.close_ns, times, side="right") - 1, 0)
        closes[series.symbol] = series.values[row, 3]
    held: dict[str, Floats] = {}
    for fill in replay.fills:
        quantities = held.setdefault(fill.symbol, np.zeros(len(times)))
        quantities[np.searchsorted(times, fill.time_ns) :] += float(fill.quantity)
    for symbol, quantity in held.items():
        multiplier = float(replay.multipliers.get(symbol, 1))
        exposed += np.abs(quantity) * closes.get(symbol, np.zeros(len(times))) * multiplier
    share: Floats = 100.0 * exposed / np.where(equity > 0, equity, np.nan)
    return share


def _image(figure: Figure) -> str:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
