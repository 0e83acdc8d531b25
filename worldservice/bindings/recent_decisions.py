"""Each world's last decision, answered again for a moment to strategies that change nothing by entering."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from worldservice.bindings.stamps import Stamp
from worldservice.evaluation.domain.decision import Decision

RECENT = timedelta(seconds=1)
RECENT_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Noted:
    """A decision that was committed, and the stamp of its world after that commit."""

    decision: Decision
    stamp: Stamp

    def after(self, other: Noted) -> bool:
        """Whether this decision was committed later."""
        return (self.stamp, self.decision.decided_at) > (other.stamp, other.decision.decided_at)


class RecentDecisions:
    """Each world's last decision, to be told again for a moment when nothing that it rests on has changed.

    It is asked inside the transaction that tells it, with the world's lock held and the stamp read under it: whoever
    wrote meanwhile, another replica too, has left another stamp.
    """

    def __init__(self) -> None:
        self._last: OrderedDict[str, Noted] = OrderedDict()

    def note(self, noted: Noted) -> None:
        """Remember a decision that was just committed, unless a newer one is known."""
        world_id = noted.decision.world_id
        known = self._last.get(world_id)
        if known is not None and not noted.after(known):
            return
        self._last[world_id] = noted
        self._last.move_to_end(world_id)
        if len(self._last) > RECENT_MAX:
            self._last.popitem(last=False)

    def of(self, world_id: str, stamp: Stamp, now: datetime) -> Decision | None:
        """The decision of the last second, if this process made one and the stamp is the same."""
        last = self._last.get(world_id)
        if last is None or last.stamp != stamp:
            return None
        return last.decision if timedelta() <= now - last.decision.decided_at <= RECENT else None
