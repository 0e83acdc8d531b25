"""When an order reaches the simulated venue, and whether its answer comes back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the venue knows of an order: the data time from which it works there, and whether its answer was lost."""

    at_ns: int
    answer_lost: bool
