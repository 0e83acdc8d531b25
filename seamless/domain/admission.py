"""The domain gate: which origins a domain may read, up to when, and how stale is too stale.

BACKTEST reads sealed artifacts at a fixed as_of and nothing else. DRYRUN sees what its session has
reached, never beyond. LIVE and SHADOW may mix, while the data's end keeps up with the clock.
"""

from dataclasses import dataclass
from enum import Enum

from qmtl.core.errors import InvalidRequest
from qmtl.core.modes import ExecutionDomain


class Origin(Enum):
    """Where a delivered span came from."""

    ARTIFACT = "artifact"
    STORAGE = "storage"
    BACKFILL = "backfill"
    LIVE = "live"


class Lateness(Enum):
    """How the end of the data stands to the clock."""

    IN_TIME = "in_time"
    LAG_ABOVE_LIMIT = "lag_above_limit"


@dataclass(frozen=True, slots=True)
class Admission:
    """What a call may read: its origins, the snapshot it sees, and the instant it may not see past."""

    origins: frozenset[Origin]
    as_of_ns: int | None
    horizon_ns: int | None


MIXING = frozenset({ExecutionDomain.LIVE, ExecutionDomain.SHADOW})
"""Domains that mix what is sealed, stored, fetched and live."""

_ORIGINS = {
    ExecutionDomain.BACKTEST: frozenset({Origin.ARTIFACT}),
    ExecutionDomain.DRYRUN: frozenset({Origin.ARTIFACT, Origin.STORAGE, Origin.LIVE}),
    ExecutionDomain.LIVE: frozenset(Origin),
    ExecutionDomain.SHADOW: frozenset(Origin),
}


def admit(domain: ExecutionDomain, as_of_ns: int | None, watermark_ns: int | None) -> Admission:
    """Decide a call's access. `watermark_ns` is its data session's; a dry run without one sees up to its as_of.

    Raises InvalidRequest (E_AS_OF_REQUIRED) for a BACKTEST or DRYRUN that nothing fixes in time.
    """
    dry = domain is ExecutionDomain.DRYRUN
    horizon = (as_of_ns if watermark_ns is None else watermark_ns) if dry else None
    if (dry and horizon is None) or (domain is ExecutionDomain.BACKTEST and as_of_ns is None):
        raise InvalidRequest(
            "E_AS_OF_REQUIRED", f"as_of is absent: {domain.value} reads data as it stood at a fixed as_of"
        )
    return Admission(_ORIGINS[domain], as_of_ns, horizon)


def lateness(domain: ExecutionDomain, lag_ns: int, max_lag_ns: int) -> Lateness:
    """Whether data is fresh enough to trade on; only LIVE and SHADOW ask, the others have no clock to lag.

    `lag_ns` is how long ago the earliest bar closed that is expected and not known.
    """
    return Lateness.LAG_ABOVE_LIMIT if domain in MIXING and lag_ns > max_lag_ns else Lateness.IN_TIME
