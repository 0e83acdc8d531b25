"""Peers over bars that `bench.execution` wrote: run by a Python that has them, `PYTHON bench/peers.py BARS.npy`.

One line of a table for each that is installed: bars a CPU second (of a second run, where compiling warms up), trades
and equity at the end. `python -m bench.peers --picture TABLE.md OUT.png` draws the bars a second of such a table, with
matplotlib; nothing given: says what is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FAST, SLOW, FEE, CASH = 20, 50, 0.001, 100_000.0
PAIRS = [(fast, slow) for fast in range(5, 25) for slow in range(30, 80, 5)]
Found = tuple[int, float]


def vectorbt(values: Any) -> Callable[[], Found]:
    """Floats; orders fill at the close that decides them."""
    import pandas as pd
    import vectorbt as vbt  # type: ignore[import-not-found]  # a peer

    closes = pd.Series(values[:, 3])

    def run() -> Found:
        fast, slow = vbt.MA.run(closes, FAST), vbt.MA.run(closes, SLOW)
        made = vbt.Portfolio.from_signals(
            closes, fast.ma_crossed_above(slow), fast.ma_crossed_below(slow), fees=FEE, init_cash=CASH
        )
        return int(made.trades.count()), float(made.value().iloc[-1])

    return run


def vectorbt_sweep(values: Any) -> Callable[[], Found]:
    """All pairs of windows at once, in columns; trades of all, and the best equity at the end. Ours also makes
    a whole report of each.
    """
    import pandas as pd
    import vectorbt as vbt  # type: ignore[import-not-found,unused-ignore]  # a peer

    closes = pd.Series(values[:, 3])
    fasts, slows = zip(*PAIRS, strict=True)

    def run() -> Found:
        fast = vbt.MA.run(closes, list(fasts), run_unique=True, short_name="fast")
        slow = vbt.MA.run(closes, list(slows), run_unique=True, short_name="slow")
        made = vbt.Portfolio.from_signals(
            closes, fast.ma_crossed_above(slow), fast.ma_crossed_below(slow), fees=FEE, init_cash=CASH
        )
        made.max_drawdown()
        return int(made.trades.count().sum()), float(made.final_value().max())

    return run


def backtesting(values: Any) -> Callable[[], Found]:
    """Floats; orders fill at the next open, as ours do, with whole units of a price in thousandths."""
    import pandas as pd
    from backtesting import Backtest, Strategy  # type: ignore[import-not-found]  # a peer
    from backtesting.lib import crossover  # type: ignore[import-not-found]  # a peer

    def sma(column: Any, window: int) -> Any:
        return pd.Series(column).rolling(window).mean()

    class Cross(Strategy):  # type: ignore[misc]  # a peer's class, untyped
        def init(self) -> None:
            self.fast, self.slow = self.I(sma, self.data.Close, FAST), self.I(sma, self.data.Close, SLOW)

        def next(self) -> None:
            if crossover(self.fast, self.slow):
                self.buy(size=0.95)
            elif crossover(self.slow, self.fast):
                self.position.close()

    frame = pd.DataFrame(values[:, :5] / [1e3, 1e3, 1e3, 1e3, 1], columns=["Open", "High", "Low", "Close", "Volume"])
    frame.index = pd.date_range("2020-09-13", periods=len(frame), freq="min")

    def run() -> Found:
        made = Backtest(frame, Cross, cash=CASH, commission=FEE, finalize_trades=True).run()
        return int(made["# Trades"]), float(made["Equity Final [$]"])

    return run


def backtrader(values: Any) -> Callable[[], Found]:
    """Floats; orders fill at the next open."""
    import backtrader as bt  # type: ignore[import-not-found]  # a peer
    import pandas as pd

    class Cross(bt.Strategy):  # type: ignore[misc]  # a peer's class, untyped
        def __init__(self) -> None:
            close = self.data.close
            self.cross = bt.ind.CrossOver(bt.ind.SMA(close, period=FAST), bt.ind.SMA(close, period=SLOW))
            self.count = 0

        def notify_trade(self, trade: Any) -> None:
            self.count += trade.isclosed

        def next(self) -> None:
            if self.cross[0] > 0:
                self.order_target_percent(target=0.95)
            elif self.cross[0] < 0:
                self.close()

    frame = pd.DataFrame(values[:, :5], columns=["open", "high", "low", "close", "volume"])
    frame.index = pd.date_range("2020-09-13", periods=len(frame), freq="min")

    def run() -> Found:
        engine = bt.Cerebro(stdstats=False)
        engine.adddata(bt.feeds.PandasData(dataname=frame))
        engine.addstrategy(Cross)
        engine.broker.setcash(CASH)
        engine.broker.setcommission(commission=FEE)
        return int(engine.run()[0].count), float(engine.broker.getvalue())

    return run


PEERS = {
    "vectorbt, SMA 20/50": ("vectorbt", vectorbt, 1, 1),
    f"vectorbt, sweep of {len(PAIRS)} pairs": ("vectorbt", vectorbt_sweep, 5, len(PAIRS)),
    "backtesting, SMA 20/50": ("backtesting", backtesting, 5, 1),
    "backtrader, SMA 20/50": ("backtrader", backtrader, 25, 1),
}
"""Each with its package, the share of the bars that it is given, so that all end within a minute, and its trials."""

PACKAGES = ("vectorbt", "backtesting", "backtrader")


_RATE = re.compile(r"^\| (?P<name>[^|]+) \| (?P<rate>[0-9,]+) bars/s \|")


def picture(table: Path, out: Path) -> None:
    """Bars a second of every line of a table that has them, on a scale of powers of ten."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    found = [made for line in table.read_text().splitlines() if (made := _RATE.match(line))]
    rates = sorted((int(made["rate"].replace(",", "")), made["name"]) for made in found)
    names, values = [name for _, name in rates], [rate for rate, _ in rates]
    colours = ["#9aa0a6" if name.startswith(tuple(PACKAGES)) else "#1a73e8" for name in names]
    figure, axes = pyplot.subplots(figsize=(9, 0.42 * len(names) + 1.2), layout="constrained")
    drawn = axes.barh(names, values, color=colours)
    axes.bar_label(drawn, [f"{value:,}" for value in values], padding=3)
    axes.set(xscale="log", xlabel="bars a CPU second", xlim=(min(values) / 2, max(values) * 8))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(out, dpi=110)


def measure(bars: Path) -> None:
    """Measure what is installed."""
    values = np.load(bars)
    for name, (package, prepare, share, trials) in PEERS.items():
        if importlib.util.find_spec(package) is None:
            sys.stdout.write(f"| {name} | not installed | | |\n")
            continue
        run, count = prepare(values[: len(values) // share]), len(values) // share
        spent = []
        for _ in range(3 if package == "vectorbt" else 1):
            begun = time.process_time()
            trades, equity = run()
            spent.append(time.process_time() - begun)
        speed = count * trials / min(spent)
        sys.stdout.write(f"| {name} | {speed:,.0f} bars/s | {count:,} bars, {trades:,} trades | {equity:,.2f} |\n")


def main() -> None:
    """Measure, draw, or say what is installed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("bars", type=Path, nargs="?")
    parser.add_argument("--picture", type=Path, nargs=2, metavar=("TABLE", "OUT"))
    chosen = parser.parse_args()
    if chosen.picture:
        picture(*chosen.picture)
    elif chosen.bars:
        measure(chosen.bars)
    else:
        for package in PACKAGES:
            there = importlib.util.find_spec(package) is not None
            sys.stdout.write(f"| {package} | {'installed' if there else 'not installed: pip install ' + package} |\n")


if __name__ == "__main__":
    main()
