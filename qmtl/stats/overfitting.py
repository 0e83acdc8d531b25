"""How likely the best of many tries is luck: the probability of backtest overfitting."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import refused
from qmtl.stats.moments import ROUNDING

if TYPE_CHECKING:
    from qmtl.core.arrays import Floats

BLOCKS = 10


def overfitting_probability(returns: Floats, blocks: int = BLOCKS) -> float:
    """Probability that the best try of one half of history is below the median of the other half.

    `returns`: shape (periods, tries). History is cut into an even number of contiguous blocks; for every choice of half
    of them the try with the best Sharpe ratio inside is ranked among all outside, and the share of choices whose rank
    logit is at most 0 is returned. Ties take their middle rank; a try without a spread counts as 0. NaN below two tries
    or two periods a block. Source: Bailey, Borwein, Lopez de Prado and Zhu 2017 (CSCV).

    Raises InvalidRequest (E_FIELD) for an odd number of blocks.
    """
    if blocks < 2 or blocks % 2:
        raise refused("E_FIELD", "blocks", blocks, "an even number of at least 2")
    periods, tries = returns.shape
    if tries < 2 or periods < 2 * blocks:
        return math.nan
    parts = np.array_split(returns, blocks)
    halves = list(combinations(range(blocks), blocks // 2))
    below = 0.0
    for inside in halves:
        outside = [part for part in range(blocks) if part not in inside]
        best = int(np.argmax(_ratios(np.concatenate([parts[i] for i in inside]))))
        ratios = _ratios(np.concatenate([parts[i] for i in outside]))
        rank = float((ratios < ratios[best]).sum()) + 0.5 * float((ratios == ratios[best]).sum() + 1)
        below += rank / (tries + 1) <= 0.5
    return below / len(halves)


def _ratios(returns: Floats) -> Floats:
    spread = returns.std(axis=0, ddof=1)
    level = returns.mean(axis=0)
    flat = spread <= ROUNDING
    ratios: Floats = np.where(flat, 0.0, level / np.where(flat, 1.0, spread))
    return ratios
