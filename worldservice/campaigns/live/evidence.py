"""What a strategy showed live: its days by the risk hub, open breaches, and the numbers that demotion rules read."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from sqlalchemy import Connection

from worldservice.campaigns.domain.canary import StepEvidence
from worldservice.campaigns.domain.demotion import EvidenceDay
from worldservice.campaigns.domain.phases import Campaign
from worldservice.campaigns.live.divergence import REPORT_NAMES, figures_on, reported
from worldservice.evaluation import store as evaluation_store
from worldservice.evaluation.stage_records import records_of_strategy
from worldservice.graph.store.edges import version_of
from worldservice.policy.domain.campaign.terms import CampaignTerms
from worldservice.risk.domain.breaches.breach import BreachState
from worldservice.risk.domain.header import SnapshotHeader
from worldservice.risk.domain.realised import realised_metrics
from worldservice.risk.domain.returns import DailyReturns
from worldservice.risk.domain.scope import Scope
from worldservice.risk.domain.snapshot import RiskStage
from worldservice.risk.reading import HubReturns
from worldservice.risk.store.breaches import open_breaches
from worldservice.worlds.domain.binding import Stage

OPEN = frozenset({BreachState.BREACHED, BreachState.ACTED})
PAPER_RULES = "paper:"
SHOWN_BEFORE: Mapping[Stage, tuple[str, ...]] = {Stage.BACKTEST: ("max_drawdown", "sharpe"), Stage.PAPER: ("sharpe",)}
LIVE_NAMES: Mapping[str, str] = {
    "live_days": "sample_days",
    "live_return": "total_return",
    "live_drawdown": "max_drawdown",
    "live_sharpe": "sharpe",
}


@dataclass(frozen=True, slots=True)
class LiveEvidence:
    """Reads live evidence; a live data day is a UTC day with a return of stage LIVE in the hub."""

    hub: HubReturns = field(default_factory=HubReturns)

    def of_step(self, conn: Connection, campaign: Campaign, *, trading: bool) -> StepEvidence:
        """What opens the next canary step. The day on which a step began is not whole, so it is not counted."""
        series = self._series(conn, campaign)
        days = 0
        if series is not None and campaign.since is not None:
            days = len(series.days) - bisect_right(series.days, campaign.since.date().toordinal())
        found = open_breaches(conn, Scope(f"world:{campaign.world_id}"))
        told = (
            f"{rule} of {target or 'its world'}: {one.detail}"
            for (rule, target), one in sorted(found.items())
            if one.state in OPEN and target in ("", campaign.strategy_id) and not rule.startswith(PAPER_RULES)
        )
        return StepEvidence(days, tuple(told), trading)

    def of_rules(self, conn: Connection, campaign: Campaign, terms: CampaignTerms) -> list[EvidenceDay]:
        """The live data days since it went live, from the last one that was counted on, with what rules read then."""
        series = self._series(conn, campaign)
        if series is None or campaign.live_since is None:
            return []
        fixed = _shown_before(conn, campaign.world_id, campaign.strategy_id)
        days = days_of_rules(series, campaign.live_since.date(), campaign.counted, fixed)
        if REPORT_NAMES.isdisjoint(name for rule in terms.demote for name in rule.when.names):
            return days
        version = version_of(conn, campaign.world_id, campaign.strategy_id)
        told = reported(conn, campaign.world_id, campaign.strategy_id, version)
        told = [one for one in told if one.end > campaign.live_since]
        max_age = terms.divergence.max_age
        return [replace(one, figures={**one.figures, **figures_on(one.day, told, max_age)}) for one in days]

    def _series(self, conn: Connection, campaign: Campaign) -> DailyReturns | None:
        return self.hub.of(conn, campaign.world_id, RiskStage.LIVE).get(campaign.strategy_id)

    def as_of(self, conn: Connection, world_id: str) -> SnapshotHeader | None:
        """The snapshot that live evidence of a world is read from; None: there is none."""
        return self.hub.header(conn, world_id, RiskStage.LIVE)


def days_of_rules(
    series: DailyReturns, went_live: date, counted: date | None, fixed: Mapping[str, float]
) -> list[EvidenceDay]:
    """Each live data day from `counted` on, with the numbers of all days since it went live; `fixed` beside them."""
    first = bisect_left(series.days, went_live.toordinal())
    start = first if counted is None else max(first, bisect_left(series.days, counted.toordinal()))
    found = []
    for end in range(start + 1, len(series.days) + 1):
        so_far = DailyReturns(series.days[first:end], series.values[first:end], series.closed)
        metrics = realised_metrics(so_far)
        live = {name: metrics[metric] for name, metric in LIVE_NAMES.items() if metric in metrics}
        found.append(EvidenceDay(date.fromordinal(series.days[end - 1]), {**fixed, **live}))
    return found


def _shown_before(conn: Connection, world_id: str, strategy_id: str) -> Mapping[str, float]:
    """Numbers of the newest computed runs of the version that is bound."""
    version, found = version_of(conn, world_id, strategy_id), dict[str, float]()
    recorded = records_of_strategy(conn, world_id, strategy_id)
    rows = frozenset(one.newest for one in recorded if one.newest and one.version == version)
    for _, evidence in evaluation_store.evidence_at(conn, rows).values():
        stage, values = evidence.stage.value.lower(), evidence.values()
        names = SHOWN_BEFORE.get(evidence.stage, ())
        found |= {f"{stage}_{name}": values[name] for name in names if name in values}
    return found
