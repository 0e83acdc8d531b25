"""Token buckets, one per identity: how many calls each may make, and when it may come back."""

from __future__ import annotations

from collections import OrderedDict

IDENTITIES_MAX = 10_000


class Buckets:
    """`rate_per_s` calls on average and `burst` at once for each identity. Times are seconds of a monotonic clock."""

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate = rate_per_s
        self._burst = burst
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, identity: str, now_s: float) -> float:
        """Take one token; 0 when there was one, else the seconds until there is."""
        level, at = self._levels.get(identity, (self._burst, now_s))
        level = min(self._burst, level + (now_s - at) * self._rate)
        enough = level >= 1.0
        self._levels[identity] = (level - 1.0 if enough else level, now_s)
        self._levels.move_to_end(identity)
        if len(self._levels) > IDENTITIES_MAX:
            self._levels.popitem(last=False)  # the one idle for longest, whose bucket is full again
        return 0.0 if enough else (1.0 - level) / self._rate
