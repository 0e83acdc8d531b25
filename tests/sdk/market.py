"""Bars to test with: random walks with gaps, exact little series, and hypothesis strategies for both."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from qmtl.core.instants import NS_PER_S
from qmtl.sdk import Bars

START_NS = 1_632_700_800 * NS_PER_S
STEP_NS = 900 * NS_PER_S


def walk(n: int, seed: int = 0, symbol: str = "BTC-USD", kept: np.ndarray | None = None) -> Bars:
    """A random walk of n 15-minute bars; `kept` masks bars out, so that gaps stay gaps."""
    random = np.random.default_rng(seed)
    close = np.round(40_000.0 * np.exp(np.cumsum(random.normal(0.0, 0.004, n))), 2)
    opened = np.concatenate([close[:1], close[:-1]])
    high = np.maximum(opened, close) + np.round(random.uniform(0.0, 50.0, n), 2)
    low = np.minimum(opened, close) - np.round(random.uniform(0.0, 50.0, n), 2)
    volume = np.round(random.uniform(10.0, 1000.0, n), 3)
    times = START_NS + STEP_NS * np.arange(n, dtype=np.int64)
    values = np.column_stack([opened, high, low, close, volume])
    chosen = np.ones(n, dtype=np.bool_) if kept is None else kept
    return Bars(symbol, 900, times[chosen], values[chosen])


def prices(*closes: float, symbol: str = "BTC-USD", volume: float = 1_000.0) -> Bars:
    """Flat bars: each opens, stays and closes at one price."""
    times = START_NS + STEP_NS * np.arange(len(closes), dtype=np.int64)
    column = np.array(closes, dtype=np.float64)
    values = np.column_stack([column, column, column, column, np.full(len(closes), volume)])
    return Bars(symbol, 900, times, values)


@st.composite
def gapped(draw: st.DrawFn, symbol: str = "BTC-USD", most: int = 160) -> Bars:
    """A random walk with bars missing anywhere."""
    n = draw(st.integers(1, most))
    seed = draw(st.integers(0, 2**32 - 1))
    kept = np.random.default_rng(seed + 1).uniform(size=n) > draw(st.sampled_from([0.0, 0.1, 0.5]))
    return walk(n, seed, symbol, kept)
