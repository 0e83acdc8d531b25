"""Pictures of a replay: equity, drawdown, trades on price. Needs matplotlib (extra [demo]), loaded on use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qmtl.calendars.calendars import AlwaysOpen
from qmtl.calendars.published import calendar_named
from qmtl.calendars.spans import Span
from qmtl.core.errors import NotReady
from qmtl.core.fills import FillEvent
from qmtl.core.instants import NS_PER_S, from_ns
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.graph.schemas import OHLCV
from qmtl.stats.drawdowns import drawdowns

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qmtl.core.arrays.types import Floats, Times

SYMBOLS_MAX = 8
_CLOSE = OHLCV.column("close")


@dataclass(frozen=True, slots=True)
class Curve:
    """What is drawn of a run: equity over time, shape (n,) both, in a currency, the fills that made it, and by symbol
    the calendar of its exchange.
    """

    time_ns: Times
    equity: Floats
    currency: str
    fills: Sequence[FillEvent]
    calendars: Mapping[str, str] = field(default_factory=dict)


def draw_replay(title: str, replay: RunResult, bars: Sequence[Bars], path: Path) -> Path:
    """Write a picture of a run; the file's suffix chooses the format. Raises NotReady (E_NO_MATPLOTLIB)."""
    return _written(replay_figure(title, replay, bars), path)


def draw_curve(title: str, curve: Curve, bars: Sequence[Bars], path: Path) -> Path:
    """Write a picture of equity and fills, as `draw_replay`."""
    return _written(curve_figure(title, curve, bars), path)


def _written(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


def replay_figure(title: str, replay: RunResult, bars: Sequence[Bars]) -> Figure:
    """The picture of a run, as `curve_figure`."""
    curve = Curve(replay.time_ns, replay.equity_floats, replay.currency, replay.fills, replay.calendars)
    return curve_figure(title, curve, bars)


def curve_figure(title: str, curve: Curve, bars: Sequence[Bars]) -> Figure:
    """Panels for equity, drawdown and, for each symbol, closes with buys and sells; gaps stay gaps, but
    where an exchange is closed nothing is missing.

    Of more than SYMBOLS_MAX symbols those with most fills are drawn, and the title says so. Raises NotReady
    (E_NO_MATPLOTLIB).
    """
    try:
        from matplotlib import dates
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NotReady("E_NO_MATPLOTLIB", "drawing needs matplotlib", hint="pip install 'qmtl[demo]'") from error
    drawn = _drawn(curve, bars)
    rows = max(len(drawn), 1)
    figure = Figure(figsize=(11, 5 + 2.6 * rows), layout="constrained")
    top, middle, *below = figure.subplots(
        2 + rows, 1, sharex=True, height_ratios=(3, 1, *[3 if rows == 1 else 2] * rows)
    )
    of_all = "" if len(drawn) == len(bars) else f": {len(drawn)} of {len(bars)} symbols are drawn"
    top.set_title(f"{title}{of_all}", parse_math=False)
    _draw_equity(top, middle, curve, [one for one in bars if len(one)])
    top.set_ylabel(f"equity ({curve.currency})")
    middle.set_ylabel("drawdown (%)")
    for axes, series in zip(below, drawn, strict=False):
        shown = series.between(int(curve.time_ns[0]) - series.interval_s * NS_PER_S) if len(curve.time_ns) else series
        axes.plot(*_line(shown, curve.calendars.get(series.symbol, "")), linewidth=0.8, color="#555555")
        for side, marker, colour in ((1, "^", "#2e7d32"), (-1, "v", "#b3423a")):
            marked, prices = _marks(curve.fills, series.symbol, side)
            axes.scatter(
                marked, prices, marker=marker, color=colour, s=28, zorder=3, label="buys" if side > 0 else "sells"
            )
        axes.set_ylabel(series.symbol, parse_math=False)
    if drawn:
        named = below[0].get_legend_handles_labels()
        figure.legend(*named, loc="outside lower left", fontsize="small", ncols=2, frameon=False)
    for axes in (top, middle, *below):
        axes.grid(alpha=0.25)
    for axes in (top, *below):
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    locator: Any = dates.AutoDateLocator()  # type: ignore[no-untyped-call]  # matplotlib's own
    below[-1].xaxis.set_major_locator(locator)
    below[-1].xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # the same
    return figure


def _drawn(curve: Curve, bars: Sequence[Bars]) -> list[Bars]:
    """The series to draw, as they were given; of too many those with most fills."""
    fills = Counter(fill.symbol for fill in curve.fills)
    busiest = {id(one) for one in sorted(bars, key=lambda one: -fills[one.symbol])[:SYMBOLS_MAX]}
    return [one for one in bars if id(one) in busiest]


def _draw_equity(top: Any, middle: Any, curve: Curve, bars: Sequence[Bars]) -> None:
    """Equity and what it is below its highest so far, broken where no symbol had a bar; without bars whole."""
    equity = curve.equity
    below = -100.0 * drawdowns(equity) if len(equity) else equity
    gaps = np.zeros(0, dtype=np.int64)
    if bars:
        interval_ns = max(one.interval_s for one in bars) * NS_PER_S
        calendars = {curve.calendars.get(one.symbol, "") for one in bars}
        gaps = _gaps(curve.time_ns - interval_ns, interval_ns, calendars) + 1
    times = [from_ns(time_ns) for time_ns in np.insert(curve.time_ns, gaps, curve.time_ns[gaps - 1]).tolist()]
    top.plot(times, np.insert(equity, gaps, np.nan), color="#1f5f8b", linewidth=1.2)
    middle.fill_between(times, np.insert(below, gaps, np.nan), 0.0, color="#b3423a", alpha=0.6)


def _line(series: Bars, calendar: str) -> tuple[list[datetime], list[float]]:
    """Closes over time, broken where bars are missing: a gap is shown as one, not bridged."""
    times, closes = [from_ns(time_ns) for time_ns in series.close_ns.tolist()], series.values[:, _CLOSE].tolist()
    for at in reversed(_gaps(series.open_ns, series.interval_s * NS_PER_S, [calendar]).tolist()):
        times.insert(at + 1, times[at])
        closes.insert(at + 1, float("nan"))
    return times, closes


def _gaps(open_ns: Times, interval_ns: int, calendars: Iterable[str]) -> Times:
    """After which bars, by their opens, one is missing that one of these calendars expects; "": one never closes."""
    ends = open_ns[:-1] + interval_ns
    apart = np.flatnonzero(open_ns[1:] > ends)
    if not len(apart):
        return apart
    missing = np.zeros(len(apart), dtype=np.bool_)
    for calendar in calendars:
        if calendar in ("", AlwaysOpen().name):
            return apart
        spans = calendar_named(calendar).expected(Span(int(ends[apart[0]]), int(open_ns[apart[-1] + 1])), interval_ns)
        expected = np.array([(each.start_ns, each.end_ns) for each in spans], dtype=np.int64).reshape(-1, 2)
        following = np.searchsorted(expected[:, 1], ends[apart], side="right")
        begins = np.append(expected[:, 0], np.iinfo(np.int64).max)[following]
        missing |= begins < open_ns[apart + 1]
    return apart[missing]


def _marks(fills: Sequence[FillEvent], symbol: str, side: int) -> tuple[list[datetime], list[float]]:
    chosen = [fill for fill in fills if fill.symbol == symbol and np.sign(float(fill.quantity)) == side]
    return [from_ns(fill.time_ns) for fill in chosen], [float(fill.price) for fill in chosen]
