"""The exchange's own count of what a client's address has used, in fixed windows as exchanges count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Meter:
    """Weight by window of `interval_ms`. Above `limit` a request is refused and counted as `refused`."""

    limit: int
    clock: Callable[[], int]
    interval_ms: int = 60_000
    refused: int = 0
    used: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def peak(self) -> int:
        """The most that was used in any window."""
        return max(self.used.values(), default=0)

    @property
    def total(self) -> int:
        """All that was used."""
        return sum(self.used.values())

    def charge(self, weight: int) -> tuple[int, int]:
        """Count a request; what the window has come to, and the seconds until the next where that is too much."""
        now_ms = self.clock()
        window = now_ms // self.interval_ms
        self.used[window] += weight
        if self.used[window] <= self.limit:
            return self.used[window], 0
        self.refused += 1
        return self.used[window], max(1, ((window + 1) * self.interval_ms - now_ms) // 1_000)
