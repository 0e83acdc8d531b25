"""Runs without their evidence yet: waiting, asked again with pacing, or refused for good. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from qmtl.core.errors import DeadlineExceeded, InvalidRequest, NotFound, QmtlError
from worldservice.evaluation.domain.runs import Evidence

REPLAY_TIMEOUT = timedelta(seconds=120)
LEASE = REPLAY_TIMEOUT + timedelta(seconds=30)
"""How long one replica has a run to itself; whoever crashes meanwhile is followed after it."""
PACE_FIRST, PACE_MAX = timedelta(seconds=1), timedelta(minutes=1)
SPENT_MAX = 5
UNREADABLE = "E_REPLAY_UNREADABLE"


class ReplayState(Enum):
    """PENDING: asked again when due. REFUSED: the list cannot be replayed as it is."""

    PENDING = "PENDING"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class PendingReplay:
    """A run that counts for nothing yet. `reason` and `message` are of the last attempt; empty before the first.

    `spent`: attempts that took all of their time, or ended the process that they ran in.
    """

    world_id: str
    strategy_id: str
    asked: Evidence
    created_by: str
    correlation_id: str
    created_at: datetime
    due_at: datetime
    state: ReplayState = ReplayState.PENDING
    reason: str = ""
    message: str = ""
    attempts: int = 0
    spent: int = 0


def after_failure(pending: PendingReplay, error: QmtlError, now: datetime) -> PendingReplay:
    """What becomes of a run whose replay failed: refused where asking again would answer the same, or as unreadably as
    before, else due later.

    The fifth replay of a list that runs out of time or ends its process is refused; outages do not count.
    """
    attempts = pending.attempts + 1
    costly = isinstance(error, DeadlineExceeded) or error.reason == "E_CANCELLED_INSIDE"
    spent = pending.spent + costly
    final = isinstance(error, InvalidRequest | NotFound) or error.reason == UNREADABLE or spent >= SPENT_MAX
    pace = min(PACE_FIRST * 2 ** min(attempts - 1, 10), PACE_MAX)
    return replace(
        pending,
        state=ReplayState.REFUSED if final else ReplayState.PENDING,
        reason=error.reason,
        message=str(error)[:500],
        attempts=attempts,
        spent=spent,
        due_at=now + pace,
    )
