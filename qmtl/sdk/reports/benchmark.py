"""What a run is measured against: the same money put into what it traded, once, and held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.graph.schemas import OHLCV
from qmtl.stats.performance import performance

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats

_CLOSE = OHLCV.column("close")


def buy_and_hold(replay: RunResult, bars: Sequence[Bars]) -> Floats:
    """Equity (n,) at the run's times of equal parts in each symbol from its first close on, without fees.

    A symbol without a price yet is cash until its first one.
    """
    times, start = replay.time_ns, float(replay.equity_floats[0]) if len(replay.time_ns) else 0.0
    if not len(times) or not bars:
        return np.full(len(times), start)
    finest: dict[str, Bars] = {}
    for each in sorted(bars, key=lambda one: one.interval_s):
        finest.setdefault(each.symbol, each)
    held = np.zeros(len(times))
    for series in finest.values():
        row = np.searchsorted(series.close_ns, times, side="right") - 1
        price = series.values[np.maximum(row, 0), _CLOSE]
        first = price[int(np.argmax(row >= 0))]
        held += np.where(row >= 0, price / first, 1.0)
    return start * held / len(finest)


def benchmark_metrics(replay: RunResult, bars: Sequence[Bars]) -> dict[str, float]:
    """Metrics of buy_and_hold, as those of the run."""
    equity = buy_and_hold(replay, bars)
    return performance(replay.time_ns, equity, (), sessions=replay.sessions) if len(equity) else {}
