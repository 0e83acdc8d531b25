"""How long a gate session lives, with the margin by which both sides count it out, and how long brokerage may take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

GATE_TTL = timedelta(seconds=5)
GATE_MARGIN = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class BrokerageTiming:
    """How long brokerage may take to answer, and how soon what it has not confirmed is told again."""

    timeout_s: float
    retry_s: float
