"""Whether what is seen now still is what was seen before: means of dependent days, sums of shortfalls, populations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qmtl.core.arrays.types import Floats

CUSUM_SLACK = 0.5
POPULATION_BINS = 10
DRIFT_WATCHED, DRIFT_SHIFTED = 0.1, 0.25
"""Population stability: from the first on a shift is worth a look, from the second on it is one. (Siddiqi 2006.)"""
_CHAIN_STATES = 200


def mean_t(values: Floats, lags: int | None = None) -> tuple[float, float]:
    """Standard error of a mean of dependent values and its t, with Bartlett weights. (Newey and West 1987, 1994.)

    `values`: shape (n,). `lags` None: floor(4 (n/100)^(2/9)). (NaN, NaN) of fewer than two values or without a spread.
    """
    count = len(values)
    if count < 2:
        return math.nan, math.nan
    most = math.floor(4.0 * (count / 100.0) ** (2.0 / 9.0)) if lags is None else lags
    centred = values - values.mean()
    long_run = float(centred @ centred)
    for lag in range(1, min(most, count - 1) + 1):
        long_run += 2.0 * (1.0 - lag / (most + 1.0)) * float(centred[lag:] @ centred[:-lag])
    if not long_run > 0.0:
        return math.nan, math.nan
    error = math.sqrt(long_run) / count
    return error, float(values.mean()) / error


def shortfall_sum(scores: Sequence[float] | Floats, slack: float = CUSUM_SLACK) -> float:
    """The cumulative sum of shortfalls after the last score: S = max(0, S - z - slack), from 0. (Page 1954.)

    `scores`: standardised values, oldest first; 0 is as expected, negative is worse.
    """
    total = 0.0
    for score in scores:
        total = max(0.0, total - score - slack)
    return total


def shortfall_run_length(limit: float, shift: float = 0.0, slack: float = CUSUM_SLACK) -> float:
    """Mean number of normal scores until the sum of shortfalls exceeds `limit`, when their mean is -`shift`.

    By the chain of the sum over equal cells. (Brook and Evans 1972.)
    """
    if not limit > 0.0:
        raise refused("E_FIELD", "limit", limit, "above 0")
    states = _CHAIN_STATES
    width = 2.0 * limit / (2 * states - 1)
    start = np.arange(states)[:, None] * width
    ends = np.arange(states)[None, :] * width
    below = _normal(ends + width / 2.0 - start + slack - shift)
    chain = np.diff(np.hstack([np.zeros((states, 1)), below]), axis=1)
    return float(np.linalg.solve(np.eye(states) - chain, np.ones(states))[0])


def population_shift(counts: Sequence[float] | Floats, reference: Sequence[float] | Floats) -> float:
    """Population stability index: sum (a - b) ln(a / b) over bins, of shares now `a` and of the reference `b`.

    Both have a number of observations, or a share, per bin. A bin without one counts half an observation where the
    values are counts. (Siddiqi 2006.) NaN where either has none at all. Raises InvalidRequest (E_FIELD) for other
    lengths and negative values.
    """
    seen, known = np.asarray(counts, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if seen.shape != known.shape or seen.ndim != 1:
        raise refused("E_FIELD", "counts", f"{seen.shape} and {known.shape}", "as many bins as the reference")
    if (seen < 0.0).any() or (known < 0.0).any():
        raise refused("E_FIELD", "counts", "negative", "numbers of observations")
    if not seen.sum() > 0.0 or not known.sum() > 0.0:
        return math.nan
    now, before = _shares(seen), _shares(known)
    return float(((now - before) * np.log(now / before)).sum())


def decile_edges(values: Floats) -> Floats:
    """The nine inner edges of a sample's deciles (linear), of which equal ones are kept once."""
    edges: Floats = np.unique(np.quantile(values, np.arange(1, POPULATION_BINS) / POPULATION_BINS))
    return edges


def bin_counts(values: Floats, edges: Floats) -> Floats:
    """How many values are at or below each edge and above the one before; the last bin is above all."""
    places = np.searchsorted(edges, values, side="left")
    counts: Floats = np.bincount(places, minlength=len(edges) + 1).astype(np.float64)
    return counts


def _shares(counts: Floats) -> Floats:
    filled = np.where(counts == 0.0, 0.5, counts)
    shares: Floats = filled / filled.sum()
    return shares


def _normal(values: Floats) -> Floats:
    found: Floats = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2.0)), otypes=[np.float64])(values)
    return found
