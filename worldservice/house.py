"""What every group of RPCs works with: the store, the clock, the rules, the fence keeper, and the end of the day."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from controlbus.database import Database
from qmtl.core.clock import Clock
from worldservice.domain.apply import Limits
from worldservice.fences import FenceKeeper
from worldservice.measures import Measures
from worldservice.settling import HouseRules, Settled


@dataclass(frozen=True, slots=True)
class House:
    """`draining` is set when the server goes away, so that open streams end."""

    db: Database
    clock: Clock
    rules: HouseRules
    fences: FenceKeeper
    gate_skew_max: timedelta
    draining: asyncio.Event
    measures: Measures
    limits: Limits

    async def enforce(self, settled: Settled) -> bool:
        """Tell brokerage what a commit narrowed, before the caller is answered; True while it has not confirmed."""
        activation = settled.activation
        return activation.fence.pending and not await self.fences.push(activation.world_id)
