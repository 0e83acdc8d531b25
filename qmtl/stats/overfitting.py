"""How likely the best of many tries is luck: the probability of backtest overfitting."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import refused
from qmtl.stats.moments import ROUNDING

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times

BLOCKS = 10
CANCELLED = 1e-12
"""A variance from sums below this share of its terms may be rounding alone: it is taken from the returns themselves."""


def overfitting_probability(returns: Floats, blocks: int = BLOCKS) -> float:
    """Probability that the best try of one half of history is below the median of the other half.

    `returns`: shape (periods, tries). History is cut into an even number of contiguous, equally long blocks, the oldest
    periods that do not fill one left out; for every choice of half of them the try with the best Sharpe ratio inside is
    ranked among all outside, and the share of choices whose rank logit is at most 0 is returned. Ties take their middle
    rank; a try without a spread counts as 0. NaN below two tries or two periods a block. The order of tries changes
    nothing. Source: Bailey, Borwein, Lopez de Prado and Zhu 2017 (CSCV).

    Raises InvalidRequest (E_FIELD) for an odd number of blocks.
    """
    if blocks < 2 or blocks % 2:
        raise refused("E_FIELD", "blocks", blocks, "an even number of at least 2")
    periods, tries = returns.shape
    if tries < 2 or periods < 2 * blocks:
        return math.nan
    length = periods // blocks
    inside = _half_ratios(returns[periods - blocks * length :].reshape(blocks, length, tries))
    outside = inside[::-1]  # halves are in the order of their bits: the complement of the first is the last
    best = inside.max(axis=1, keepdims=True)
    own = np.where(inside == best, outside, np.inf).min(axis=1, keepdims=True)  # of equally good ones the worse
    rank = (outside < own).sum(axis=1) + 0.5 * ((outside == own).sum(axis=1) + 1)
    return float(np.mean(rank / (tries + 1) <= 0.5))


def _half_ratios(parts: Floats) -> Floats:
    """Sharpe ratio per period of each try over each half of the blocks, shape (halves, tries), from sums by block."""
    blocks, length, _ = parts.shape
    count, centre = length * blocks // 2, parts.mean(axis=(0, 1))
    halves = _halves(blocks)
    shifted = parts - centre
    level = _sums(shifted.sum(axis=1), halves)
    square = _sums((shifted * shifted).sum(axis=1), halves)
    variance = (square - level * level / count) / (count - 1)
    spread = np.sqrt(np.maximum(variance, 0.0))
    for half, column in np.argwhere(variance * count <= CANCELLED * square):
        chosen = [block for block in range(blocks) if halves[half] >> block & 1]
        spread[half, column] = parts[chosen, :, column].std(ddof=1)
    flat = spread <= ROUNDING
    ratios: Floats = np.where(flat, 0.0, (centre + level / count) / np.where(flat, 1.0, spread))
    return ratios


def _halves(blocks: int) -> Times:
    """Every choice of half of the blocks, a bit each, in ascending order."""
    masks = np.arange(2**blocks, dtype=np.int64)
    ones = sum(masks >> block & 1 for block in range(blocks))
    halves: Times = masks[ones == blocks // 2]
    return halves


def _sums(values: Floats, masks: Times) -> Floats:
    """Sums of the rows that each mask names: of the lower and of the upper rows, of which all sums are known before."""
    lower = len(values) // 2
    sums: Floats = _subset_sums(values[:lower])[masks & (2**lower - 1)]
    sums += _subset_sums(values[lower:])[masks >> lower]
    return sums


def _subset_sums(values: Floats) -> Floats:
    """Of every subset of rows, by its bits; added in one order, so that equal tries have equal sums."""
    sums = np.zeros((1, values.shape[1]))
    for row in values:
        sums = np.concatenate([sums, sums + row])
    return sums
