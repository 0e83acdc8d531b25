"""Keeps the store of snapshots within its bounds, tells their age, and counts days that ended without a forecast."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from qmtl.core.errors import QmtlError
from worldservice.risk.domain.scope import Scope, ScopeKind
from worldservice.risk.domain.snapshot import RiskStage
from worldservice.risk.store import forecasts, snapshots
from worldservice.worlds.acts import audit_write, own_act
from worldservice.worlds.writes import Writes

ROUND_S = 300.0
log = structlog.stdlib.get_logger("qmtl.worldservice.risk")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long snapshots are kept whole, and how long the last of each UTC day, stage and actor."""

    whole: timedelta
    daily: timedelta


class SnapshotKeeper:
    """One per process; rounds of several exclude each other by the scope's lock."""

    def __init__(self, writes: Writes, retention: Retention) -> None:
        self._db = writes.db
        self._clock = writes.clock
        self._metrics = writes.metrics
        self._retention = retention
        self._day = writes.clock.now().date()

    async def run(self) -> None:
        """One round every five minutes until cancelled; a store that does not answer is asked again next round."""
        while True:
            try:
                await self.round()
            except QmtlError as error:
                log.warning("risk_round_failed", error=str(error))
            await self._clock.sleep(ROUND_S)

    async def round(self) -> int:
        """Thin out every scope and tell the ages; how many snapshots went."""
        now, deleted = self._clock.now(), 0
        over, self._day = (self._day if self._day < now.date() else None), now.date()
        for scope in await self._db.read(snapshots.scopes_with_snapshots):
            while True:
                count = await self._db.write(lambda conn, scope=scope: self._thin(conn, scope, now))  # type: ignore[misc]  # bound now
                deleted += count
                if count < snapshots.DELETED_MAX:
                    break
            await self._db.read(lambda conn, scope=scope: self._measure(conn, scope, now, over))  # type: ignore[misc]  # as above
        return deleted

    def _thin(self, conn: Connection, scope: Scope, now: datetime) -> int:
        snapshots.lock_scope(conn, scope)
        count = snapshots.delete_old(conn, scope, now, self._retention.whole, self._retention.daily)
        if count:
            world = scope.name if scope.kind is ScopeKind.WORLD else scope.text
            audit_write(conn, own_act("DeleteSnapshots", world, now), f"{count} snapshots of {scope} past their time")
        return count

    def _measure(self, conn: Connection, scope: Scope, now: datetime, over: object) -> None:
        for stage in RiskStage:
            found = snapshots.newest(conn, scope, stage)
            if found is None:
                continue
            self._metrics.risk_snapshot_age.labels(scope.text, stage.value).set((now - found.as_of).total_seconds())
            yesterday = now.date().toordinal() - 1
            if over is not None and not forecasts.has_forecast(conn, scope, stage, yesterday):
                self._metrics.risk_forecasts_missing.labels(scope.text, stage.value).inc()
