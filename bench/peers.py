"""Peers over bars that `bench.execution` wrote: run by a Python that has them, `PYTHON bench/peers.py BARS.npy`.

One line of a table for each that is installed: bars a CPU second (of a second run, where compiling warms up), trades
and equity at the end.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
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


def main() -> None:
    """Measure what is installed."""
    values = np.load(sys.argv[1])
    for name, (package, prepare, share, trials) in PEERS.items():
        if importlib.util.find_spec(package) is None:
            sys.stdout.write(f"| {name} | not installed | | |\n")
            continue
        run, count = prepare(values[: len(values) // share]), len(values) // share
        if package == "vectorbt":
            run()
        begun = time.process_time()
        trades, equity = run()
        speed = count * trials / (time.process_time() - begun)
        sys.stdout.write(f"| {name} | {speed:,.0f} bars/s | {count:,} bars, {trades:,} trades | {equity:,.2f} |\n")


if __name__ == "__main__":
    main()
