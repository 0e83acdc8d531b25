"""An owner's word that one block does not count for one revision of a run. Appended, never changed; it ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from qmtl.core.errors import refused
from worldservice.campaigns.domain.blocks import OVERRIDABLE

OVERRIDE_LASTS_MAX = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Override:
    """One block waived for one revision of a run."""

    world_id: str
    strategy_id: str
    run_id: str
    revision: int
    rule: str
    reason: str
    granted_by: str
    granted_at: datetime
    expires_at: datetime


def check_override(override: Override, newest_revision: int) -> None:
    """Raises InvalidRequest (E_OVERRIDE): not to be waived, another revision than the newest, too long."""
    if override.rule not in {reason.value for reason in OVERRIDABLE}:
        raise refused("E_OVERRIDE", "rule", override.rule, f"one of {', '.join(sorted(OVERRIDABLE))}")
    if override.revision != newest_revision:
        raise refused("E_OVERRIDE", "run_revision", override.revision, f"{newest_revision}, the run's newest")
    if not override.granted_at < override.expires_at <= override.granted_at + OVERRIDE_LASTS_MAX:
        raise refused("E_OVERRIDE", "expires_at", override.expires_at, "in the future, at most 90 days from now")
