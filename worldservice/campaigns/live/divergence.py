"""What divergence reports of live trading say on a live data day, as the numbers that demotion rules read.

A report that is UNKNOWN says nothing: what could not be compared lowers nobody.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import numpy as np
from sqlalchemy import Connection

from qmtl.core.modes import ExecutionDomain
from qmtl.stats.drift import shortfall_sum
from qmtl.stats.moments import ROUNDING, sample_deviation
from qmtl.wire.instants import instant_from_proto
from qmtl.world.v1 import divergence_pb2 as divergencepb
from worldservice.campaigns.reports import store

REPORT_NAMES = frozenset({"cusum", "tracking_error", "slippage_bps", "match_rate", "fill_ratio", "psi"})
PAPER_DAYS_MIN = 20
"""Days of paper from which on the spread of its differences is a measure; a mean is not tested on fewer either."""
NEWEST = 20


@dataclass(frozen=True, slots=True)
class ReportFigures:
    """Numbers of one report, and the end of its data; what was not measured is absent."""

    end: datetime
    figures: Mapping[str, float]


def reported(conn: Connection, world_id: str, strategy_id: str, version: str) -> list[ReportFigures]:
    """Of the newest live reports on a version, oldest first."""
    paper = store.newest_of(conn, world_id, strategy_id, ExecutionDomain.DRYRUN, 1)
    spread = math.nan
    if paper and paper[0].strategy_version == version and _is_known(paper[0]):
        spread = spread_of(daily_differences(paper[0].days))
    found = store.newest_of(conn, world_id, strategy_id, ExecutionDomain.LIVE, NEWEST)
    mine = (one for one in reversed(found) if one.strategy_version == version and _is_known(one))
    return [figures_of(one, spread) for one in mine]


def figures_of(report: divergencepb.DivergenceReport, spread: float) -> ReportFigures:
    """A report's numbers. `spread`: deviation of daily differences on paper, NaN where that is not known."""
    told = report.figures
    sum_of = math.nan
    if spread > ROUNDING:
        sum_of = shortfall_sum(daily_differences(report.days) / spread)
    known = {
        "cusum": sum_of,
        "tracking_error": told.tracking_error,
        "slippage_bps": told.live_slippage_bps,
        "match_rate": told.match_rate,
        "fill_ratio": told.fill_ratio,
        "psi": max((one.psi for one in report.drift), default=math.nan),
    }
    figures = {name: value for name, value in known.items() if not math.isnan(value)}
    return ReportFigures(instant_from_proto(report.end, "end"), figures)


def figures_on(day: date, reports: Sequence[ReportFigures], max_age: timedelta) -> Mapping[str, float]:
    """Of the newest report whose data had ended by the end of a UTC day, at most `max_age` before; empty: none had."""
    over = datetime.combine(day, time(), UTC) + timedelta(days=1)
    return next((one.figures for one in reversed(reports) if over - max_age <= one.end <= over), {})


def daily_differences(days: Sequence[divergencepb.DivergenceDay]) -> np.ndarray:
    """Live less replay by day, from the growth of both."""
    sides = [(1.0, 1.0), *((one.live_growth, one.replay_growth) for one in days)]
    return np.array([live / was_live - replay / was for (was_live, was), (live, replay) in pairwise(sides)])


def spread_of(differences: np.ndarray) -> float:
    """NaN of fewer than 20 days."""
    return sample_deviation(differences) if len(differences) >= PAPER_DAYS_MIN else math.nan


def _is_known(report: divergencepb.DivergenceReport) -> bool:
    return report.verdict != divergencepb.DIVERGENCE_VERDICT_UNKNOWN
