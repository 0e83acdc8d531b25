"""Whether a backtest's edge is real: its Sharpe ratio deflated by the number of trials, and overfitting."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from qmtl.stats.significance import best_expected_sharpe, confidence, ratio_error, track_record_length
from worldservice.evaluation.domain.runs import DailyMoments

CSCV_BLOCKS = 16
VARIANTS_MIN = 10
DAYS_MIN = 160


@dataclass(frozen=True, slots=True)
class TrialsSummary:
    """What the stored returns of all variants come to. None: too few variants or days.

    `tried` and `spread` are the distinct variants that all tables of the strategy had by then, and the widest spread of
    Sharpe ratios that any had: what was tried once stays tried.
    """

    trials_hash: str
    variants: int
    days: int
    sharpe_std: float | None
    pbo: float | None
    tried: int = 0
    spread: float | None = None


def with_earlier(put: TrialsSummary, before: TrialsSummary | None, distinct: int, tried: int) -> TrialsSummary:
    """The summary of a table after another; None: it is the first. It has so many `distinct` variants of all `tried`.

    Of fewer variants than were tried it tells no probability of overfitting: those left out were tried, too.
    """
    spreads = [one for one in (None if before is None else before.spread, put.sharpe_std) if one is not None]
    pbo = put.pbo if distinct == tried else None
    return replace(put, pbo=pbo, tried=tried, spread=max(spreads, default=None))


@dataclass(frozen=True, slots=True)
class Selection:
    """The deflated Sharpe ratio and what it rests on.

    `assumed`: no trials were stored, the spread is the estimate's own error. `more_days`: until the ratio itself is
    significant at 95 %, whatever was tried. `pbo` NaN: unknown.
    """

    trials: int
    trials_from: str
    deflated_sharpe: float
    assumed: bool
    pbo: float
    more_days: float


def selection_of(moments: DailyMoments, versions: int, stored: TrialsSummary | None) -> Selection:
    """Of the number of versions ever evaluated here and the stored trials, N is the larger, and 1 at least."""
    columns = 0 if stored is None else stored.tried
    trials = max(versions, columns, 1)
    said = f"{max(versions, 1)} versions evaluated"
    source = f"{columns} variants tried" if columns >= max(versions, 1) else said
    error = ratio_error(moments.ratio, moments.count, moments.skewness, moments.kurtosis)
    spread = error if stored is None or stored.spread is None else stored.spread
    benchmark = best_expected_sharpe(trials, spread)
    needed = track_record_length(moments.ratio, moments.skewness, moments.kurtosis)
    return Selection(
        trials=trials,
        trials_from=source,
        deflated_sharpe=confidence(moments.ratio, moments.count, moments.skewness, moments.kurtosis, benchmark),
        assumed=trials > 1 and (stored is None or stored.spread is None),
        pbo=math.nan if stored is None or stored.pbo is None else stored.pbo,
        more_days=max(0.0, needed - moments.count),
    )
