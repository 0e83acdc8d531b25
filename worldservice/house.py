"""What every group of RPCs works with: the store, the clock, the rules, the fence keeper, and the end of the day."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controlbus.database import Database
from qmtl.core.clock import Clock
from worldservice.domain.apply import Limits
from worldservice.domain.decisions import Decision
from worldservice.fences import FenceKeeper
from worldservice.measures import Measures
from worldservice.settling import HouseRules, Settled

RECENT = timedelta(seconds=1)
RECENT_MAX = 1_000


class RecentDecisions:
    """Each world's last decision, to be told again for a moment when nothing that it rests on has changed."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, Decision] = OrderedDict()

    def note(self, decision: Decision) -> None:
        """A decision that was just made and committed."""
        self._last[decision.world_id] = decision
        self._last.move_to_end(decision.world_id)
        if len(self._last) > RECENT_MAX:
            self._last.popitem(last=False)

    def of(self, world_id: str, now: datetime) -> Decision | None:
        """The decision of the last second, if this process made one."""
        last = self._last.get(world_id)
        return last if last is not None and timedelta() <= now - last.decided_at <= RECENT else None


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
    recent: RecentDecisions = field(default_factory=RecentDecisions)

    async def enforce(self, settled: Settled) -> bool:
        """Tell brokerage what a commit narrowed, before the caller is answered; True while it has not confirmed."""
        self.recent.note(settled.verdicts.decision)
        activation = settled.activation
        return activation.fence.pending and not await self.fences.push(activation.world_id)
