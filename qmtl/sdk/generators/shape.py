"""What all generators share: how many bars of what, and the way from a path of log prices to bars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import refused
from qmtl.core.instants import NS_PER_S, to_ns
from qmtl.core.numbers import is_finite_number
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.graph.names import parse_interval

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats

YEAR_S = 365 * 86_400
"""A year of a market that never closes: what drifts and volatilities of generators are of."""
BARS_MAX = 5_000_000
MEAN_VOLUME = 1_000.0


@dataclass(frozen=True, slots=True)
class Shape:
    """How many bars of which symbol, from when and from what price; `tick` is what prices are rounded to.

    Each bar is made of `steps` steps of its path, from which its high and low come. The same seed makes the same bars
    under the same numpy.
    """

    bars: int
    seed: int
    interval: str = "15m"
    symbol: str = "SYNTHETIC"
    start: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    price: float = 100.0
    tick: float = 0.01
    steps: int = 16

    def __post_init__(self) -> None:
        """Raises InvalidRequest (E_FIELD) for what no path can be made of."""
        require("bars", self.bars, 1, BARS_MAX)
        require("seed", self.seed, 0, 2**63 - 1)
        require("steps", self.steps, 1, 1_000)
        require("price", self.price, 1e-9, 1e12)
        require("tick", self.tick, 1e-12, self.price)

    @property
    def dt(self) -> float:
        """A step in years."""
        return parse_interval(self.interval) / YEAR_S / self.steps

    @property
    def length(self) -> int:
        """Steps of the whole path."""
        return self.bars * self.steps

    def random(self) -> np.random.Generator:
        """The source of chance: PCG64 from the seed."""
        return np.random.Generator(np.random.PCG64(self.seed))

    def bars_of(self, moves: Floats, random: np.random.Generator) -> Bars:
        """Bars over a path of log-price moves, (length,); volumes are lognormal about 1,000 and of nothing else."""
        interval_s = parse_interval(self.interval)
        path = np.concatenate(([0.0], np.cumsum(moves)))
        inside = np.lib.stride_tricks.sliding_window_view(path, self.steps + 1)[:: self.steps]
        logs = (inside[:, 0], inside.max(axis=1), inside.min(axis=1), inside[:, -1])
        prices = [np.maximum(np.round(self.price * np.exp(one) / self.tick), 1.0) for one in logs]
        digits = max(0, 12 - int(np.ceil(np.log10(self.price))))
        columns = [np.round(ticks * self.tick, digits) for ticks in prices]
        volume = np.round(MEAN_VOLUME * np.exp(random.normal(-0.125, 0.5, self.bars)), 3)
        open_ns = to_ns(self.start) + np.arange(self.bars, dtype=np.int64) * interval_s * NS_PER_S
        return Bars(self.symbol, interval_s, open_ns, np.column_stack([*columns, volume]))


def require(name: str, value: float, low: float, high: float) -> None:
    """Raise InvalidRequest (E_FIELD) for a parameter that is no number in [low, high]."""
    if not is_finite_number(value) or not low <= value <= high:
        raise refused("E_FIELD", name, repr(value), f"a number from {low:g} to {high:g}")
