"""What every group of RPCs works with: the store, the clock, the rules, the fence keeper, and the end of the day."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from qmtl.core.clock import Clock
from qmtl.sql.database import Database
from worldservice.activation.fence_keeper import FenceKeeper
from worldservice.activation.recording import Narrowed
from worldservice.apply.domain.run import ApplyTimeouts
from worldservice.bindings.recent_decisions import RecentDecisions
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.metrics import WorldMetrics


@dataclass(frozen=True, slots=True)
class House:
    """`draining` is set when the server goes away, so that open streams end."""

    db: Database
    clock: Clock
    rules: DecisionSettings
    fences: FenceKeeper
    gate_skew_max: timedelta
    draining: asyncio.Event
    measures: WorldMetrics
    limits: ApplyTimeouts
    recent: RecentDecisions = field(default_factory=RecentDecisions)

    async def enforce(self, settled: Narrowed) -> bool:
        """Tell brokerage what a commit narrowed, before the caller is answered; True while it has not confirmed."""
        activation = settled.activation
        return activation.fence.pending and not await self.fences.push(activation.world_id)
