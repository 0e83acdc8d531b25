"""Pictures of a replay: equity, drawdown, trades on price. Needs matplotlib (extra [demo]), loaded on use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from qmtl.core.errors import NotReady
from qmtl.core.fills import FillEvent
from qmtl.core.instants import from_ns
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.graph.schemas import OHLCV
from qmtl.stats.drawdowns import drawdowns

_CLOSE = OHLCV.column("close")


def draw_replay(title: str, replay: RunResult, bars: Sequence[Bars], path: Path) -> Path:
    """Write a picture with three panels; the file's suffix chooses the format. Raises NotReady (E_NO_MATPLOTLIB)."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NotReady("E_NO_MATPLOTLIB", "drawing needs matplotlib", hint="pip install 'qmtl[demo]'") from error
    figure = Figure(figsize=(11, 8), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 3))
    times = [from_ns(time_ns) for time_ns in replay.time_ns.tolist()]
    equity = replay.equity_floats
    top.plot(times, equity, color="#1f5f8b", linewidth=1.2)
    top.set_title(title)
    top.set_ylabel(f"equity ({replay.currency})")
    middle.fill_between(times, -100.0 * drawdowns(equity) if len(equity) else equity, 0.0, color="#b3423a", alpha=0.6)
    middle.set_ylabel("drawdown (%)")
    for series in bars:
        shown = series.between(int(replay.time_ns[0])) if len(replay.time_ns) else series
        bottom.plot(*_line(shown), linewidth=0.8, color="#555555", label=series.symbol)
        for side, marker, colour in ((1, "^", "#2e7d32"), (-1, "v", "#b3423a")):
            marked, prices = _marks(replay.fills, series.symbol, side)
            bottom.scatter(marked, prices, marker=marker, color=colour, s=28, zorder=3)
    bottom.set_ylabel("price, buys and sells")
    for axes in (top, middle, bottom):
        axes.grid(alpha=0.25)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


def _line(series: Bars) -> tuple[list[datetime], list[float]]:
    """Closes over time, broken where bars are missing: a gap is shown as one, not bridged."""
    times, closes = [from_ns(time_ns) for time_ns in series.close_ns.tolist()], series.values[:, _CLOSE].tolist()
    gaps = np.flatnonzero(series.open_ns[1:] > series.close_ns[:-1]).tolist()
    for at in reversed(gaps):
        times.insert(at + 1, times[at])
        closes.insert(at + 1, float("nan"))
    return times, closes


def _marks(fills: Sequence[FillEvent], symbol: str, side: int) -> tuple[list[datetime], list[float]]:
    chosen = [fill for fill in fills if fill.symbol == symbol and np.sign(float(fill.quantity)) == side]
    return [from_ns(fill.time_ns) for fill in chosen], [float(fill.price) for fill in chosen]
