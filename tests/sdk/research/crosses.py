"""A strategy of two parameters over a seeded walk, and its grid."""

from __future__ import annotations

import numpy as np

from qmtl.sdk import Bars, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.research.trials import Trial
from tests.sdk.market import START_NS, walk


class Cross(Strategy):
    """An average above another, on hours."""

    def __init__(self, fast: int = 3, slow: int = 9, weight: float = 0.9) -> None:
        self.fast, self.slow, self.weight = fast, slow, weight

    def setup(self) -> None:
        price = StreamInput("BTC-USD", "1h")
        rising = signals.trend(ta.ema(price, self.fast), ta.sma(price, self.slow))
        self.trade(signals.position_target(rising, long=self.weight, short=0.0), price)


def hourly(n: int, seed: int = 1, drift: float = 0.0) -> Bars:
    bars = walk(n, seed)
    growth = np.exp(drift * np.arange(n))[:, None]
    values = bars.values * np.hstack([growth, growth, growth, growth, np.ones((n, 1))])
    hour = 3600 * 10**9
    return Bars("BTC-USD", 3600, START_NS - START_NS % hour + hour * np.arange(n, dtype=np.int64), values)


DATA = hourly(800)
GRID: dict[str, list[int]] = {"fast": [2, 4], "slow": [8, 16, 24]}


def same(one: Trial, other: Trial) -> bool:
    return (
        one.params == other.params
        and one.metrics == other.metrics
        and one.equity.tobytes() == other.equity.tobytes()
        and one.day_ns.tolist() == other.day_ns.tolist()
    )
