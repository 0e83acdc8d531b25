"""Service levels of fetches: how long each phase may take, how much must be there, how late it may be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum


class Breach(Enum):
    """What a phase that may be done without does when its budget has run out, and what too few bars mean."""

    FAIL_FAST = "fail_fast"  # the fetch is refused
    PARTIAL = "partial"  # what is there is served, flagged
    HOLD = "hold"  # the same, and not to be traded on


class Phase(Enum):
    """A part of a fetch with a budget of its own."""

    STORAGE = "storage"
    BACKFILL = "backfill"
    LIVE = "live"
    TOTAL = "total"


class FetchMode(Enum):
    """What a fetch does about missing bars."""

    BY_PRESET = "by_preset"
    FAIL_FAST = "fail_fast"
    AUTO_BACKFILL = "auto_backfill"
    PARTIAL = "partial"
    SEAMLESS = "seamless"

    @property
    def fetches(self) -> bool:
        """Whether it asks the exchange."""
        return self in (FetchMode.AUTO_BACKFILL, FetchMode.SEAMLESS)


@dataclass(frozen=True, slots=True)
class Sla:
    """Budgets in seconds, and the least coverage and largest lag of data that may be traded on."""

    name: str
    total_s: float
    storage_s: float
    backfill_s: float
    live_s: float
    min_coverage: float
    max_lag_s: float
    on_breach: Breach

    def budget_s(self, phase: Phase) -> float:
        """What a phase may take."""
        budgets = {
            Phase.STORAGE: self.storage_s,
            Phase.BACKFILL: self.backfill_s,
            Phase.LIVE: self.live_s,
            Phase.TOTAL: self.total_s,
        }
        return budgets[phase]

    def serves(self, ratio: float, mode: FetchMode) -> bool:
        """Whether a fetch that found so much is answered with it; otherwise it is refused."""
        if ratio >= self.min_coverage or mode in (FetchMode.PARTIAL, FetchMode.SEAMLESS):
            return True
        return mode is not FetchMode.FAIL_FAST and self.on_breach is not Breach.FAIL_FAST


BASELINE = Sla("baseline", 60.0, 3.0, 45.0, 5.0, 0.98, 45.0, Breach.FAIL_FAST)
TOLERANT_PARTIAL = replace(BASELINE, name="tolerant-partial", on_breach=Breach.PARTIAL)
HOLD = replace(BASELINE, name="hold", on_breach=Breach.HOLD)
