"""What a strategy showed live: its days by the risk hub, open breaches, and the numbers that demotion rules read."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from sqlalchemy import Connection

from qmtl.stats.drawdowns import max_drawdown
from qmtl.stats.ratios import sharpe
from worldservice.campaigns.domain.canary import StepEvidence
from worldservice.campaigns.domain.demotion import EvidenceDay
from worldservice.campaigns.domain.phases import Campaign
from worldservice.evaluation import store as evaluation_store
from worldservice.graph.store.edges import version_of
from worldservice.risk.domain.returns import DailyReturns
from worldservice.worlds.domain.binding import Stage

DAYS_PER_YEAR = 365.25
HubReturns = Callable[[Connection, str], Mapping[str, DailyReturns]]
"""Daily returns of a world's strategies live, by strategy, as the hub's newest snapshot has them."""
OpenBreaches = Callable[[Connection, str, str], Sequence[str]]
"""Breaches of a world's limits that are open for a strategy or for the whole world, a sentence each."""


def no_returns(conn: Connection, world_id: str) -> Mapping[str, DailyReturns]:
    """Where there is no risk hub: no day counts."""
    return {}


def no_breaches(conn: Connection, world_id: str, strategy_id: str) -> Sequence[str]:
    """Where there is no risk hub."""
    return ()


@dataclass(frozen=True, slots=True)
class LiveEvidence:
    """Reads live evidence; a live data day is a UTC day with a return in the hub."""

    returns: HubReturns = no_returns
    breaches: OpenBreaches = no_breaches

    def of_step(self, conn: Connection, campaign: Campaign, *, trading: bool) -> StepEvidence:
        """What opens the next canary step. The day on which a step began is not whole, so it is not counted."""
        series = self.returns(conn, campaign.world_id).get(campaign.strategy_id)
        began = campaign.since
        days = 0
        if series is not None and began is not None:
            days = len(series.days) - bisect_right(series.days, began.date().toordinal())
        return StepEvidence(days, tuple(self.breaches(conn, campaign.world_id, campaign.strategy_id)), trading)

    def of_rules(self, conn: Connection, campaign: Campaign) -> list[EvidenceDay]:
        """The live data days since it went live, from the last one that was counted on, with what rules read then."""
        series = self.returns(conn, campaign.world_id).get(campaign.strategy_id)
        if series is None or campaign.live_since is None:
            return []
        first = bisect_left(series.days, campaign.live_since.date().toordinal())
        fixed = _shown_before(conn, campaign.world_id, campaign.strategy_id)
        counted = 0 if campaign.counted is None else campaign.counted.toordinal()
        return [
            EvidenceDay(date.fromordinal(series.days[at]), {**fixed, **live_figures(series, first, at + 1)})
            for at in range(first, len(series.days))
            if series.days[at] >= counted
        ]


def live_figures(series: DailyReturns, first: int, end: int) -> Mapping[str, float]:
    """What the days from place `first` up to `end`, excluded, come to; what is not defined is left out.

    The Sharpe ratio is a year's, by the share of days on which the strategy's calendar is open.
    """
    days, returns = series.days[first:end], np.array(series.values[first:end])
    span = days[-1] - days[0] + 1
    shut = sum(1 for day in series.closed if days[0] <= day <= days[-1])
    equity = np.concatenate(([1.0], np.cumprod(1.0 + returns)))
    found = {
        "live_days": float(len(days)),
        "live_return": float(equity[-1]) - 1.0,
        "live_drawdown": max_drawdown(equity),
        "live_sharpe": sharpe(returns, DAYS_PER_YEAR * (span - shut) / span),
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _shown_before(conn: Connection, world_id: str, strategy_id: str) -> Mapping[str, float]:
    """Numbers of the newest computed runs of the version that is bound."""
    version, found = version_of(conn, world_id, strategy_id), dict[str, float]()
    for stage, names in ((Stage.BACKTEST, ("max_drawdown", "sharpe")), (Stage.PAPER, ("sharpe",))):
        runs = evaluation_store.runs_of_stage(conn, world_id, strategy_id, stage)
        mine = [run for run in runs if run.evidence.replayed and run.evidence.strategy_version == version]
        values = mine[0].evidence.values() if mine else {}
        found |= {f"{stage.value.lower()}_{name}": values[name] for name in names if name in values}
    return found
