"""Gate sessions: a gateway's promise to obey the activation it holds. It lapses by itself.

The gateway counts itself out a margin early, worldservice counts it out a margin late.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from worldservice.timing import GATE_MARGIN, GATE_TTL


@dataclass(frozen=True, slots=True)
class GateSession:
    """A gateway's session, with the revision it has applied in each world."""

    gateway_id: str
    boot_id: str
    renewed_at: datetime
    applied: Mapping[str, int]


def gate_lapsed(session: GateSession, now: datetime) -> bool:
    """Counted gone a margin later than the gateway itself counts it, so that both errors are on the shut side."""
    return now > session.renewed_at + GATE_TTL + GATE_MARGIN


def lags(
    applied: Mapping[str, int], current: Mapping[str, tuple[int, datetime]], now: datetime, skew_max: timedelta
) -> list[str]:
    """Worlds whose applied revision is behind one that is older than the allowed skew."""
    return sorted(
        world_id
        for world_id, (revision, changed_at) in current.items()
        if applied.get(world_id, 0) < revision and now - changed_at > skew_max
    )
