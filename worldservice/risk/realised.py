"""What the hub says of a strategy at a stage, as the evidence of a run: nobody grades himself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Connection

from worldservice.evaluation.domain.reports import MetricSource, Number
from worldservice.evaluation.domain.runs import Evidence
from worldservice.risk.domain.realised import coverage, realised_metrics
from worldservice.risk.domain.snapshot import RiskStage
from worldservice.risk.files import SnapshotFiles
from worldservice.risk.reading import hub_returns
from worldservice.worlds.domain.binding import Stage


@dataclass(frozen=True, slots=True)
class HubEvidence:
    """Evidence of PAPER and LIVE from the returns of the newest snapshot; backtests are none of the hub's."""

    files: SnapshotFiles

    def __call__(self, conn: Connection, world_id: str, strategy_id: str, asked: Evidence) -> Evidence | None:
        """The run that was asked for with the hub's numbers; None: the hub has no day of it."""
        if asked.stage is Stage.BACKTEST:
            return None
        returns, version = hub_returns(conn, world_id, RiskStage[asked.stage.name], self.files)
        series = returns.get(strategy_id)
        if series is None or not series.days:
            return None
        numbers = tuple(
            Number(name, value, MetricSource.RISK_HUB, version)
            for name, value in sorted(realised_metrics(series).items())
        )
        return replace(
            asked,
            numbers=numbers,
            data_start=datetime.combine(series.first, time(), UTC),
            data_end=datetime.combine(series.last, time(), UTC) + timedelta(days=1),
            coverage=coverage(series),
        )
