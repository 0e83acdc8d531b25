"""Whether the best of several trials is more than luck."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qmtl.sdk.research.trials import Trial, daily_returns
from qmtl.stats.moments import sample_deviation
from qmtl.stats.overfitting import BLOCKS, overfitting_probability
from qmtl.stats.ratios import sharpe
from qmtl.stats.significance import deflated_sharpe

CONFIDENCE = 0.95
OVERFIT_MAX = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """`deflated_sharpe`: the probability that the best trial's Sharpe ratio exceeds what the best of as many trials
    without skill would show. `overfitting`: how often the best of one half of history is below the median of the other.
    NaN: not to be known. Significant only if the first is at least 0.95 and the second below 0.5.
    """

    trials: int
    days: int
    deflated_sharpe: float
    overfitting: float

    @property
    def significant(self) -> bool:
        return self.deflated_sharpe >= CONFIDENCE and self.overfitting < OVERFIT_MAX

    def __str__(self) -> str:
        shown = ", ".join(
            f"{name} {'unknown' if math.isnan(value) else f'{value:.3f}'}"
            for name, value in (("deflated Sharpe", self.deflated_sharpe), ("overfitting", self.overfitting))
        )
        said = "significant" if self.significant else "not significant: the best of these may be luck"
        return f"{said} ({shown}, {self.trials} trials, {self.days} days)"


def verdict_of(trials: Sequence[Trial], best: Trial, blocks: int = BLOCKS) -> Verdict:
    """The verdict on the best of these trials, by daily returns."""
    days, returns = daily_returns(trials)
    if len(trials) < 2 or len(days) < 2:
        return Verdict(len(trials), len(days), math.nan, math.nan)
    ratios = np.array([sharpe(column, 1.0) for column in returns.T])
    spread = sample_deviation(np.nan_to_num(ratios))
    mine = next(at for at, trial in enumerate(trials) if trial is best)
    deflated = deflated_sharpe(returns[:, mine], len(trials), spread)
    return Verdict(len(trials), len(days), deflated, overfitting_probability(returns, blocks))
