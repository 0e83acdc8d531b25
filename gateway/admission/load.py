"""This process's own load: its share of a core and the 99th percentile of its calls."""

from __future__ import annotations

import time
from dataclasses import dataclass

from qmtl.rpc.telemetry.metrics import RecentCalls

P99_WINDOW_S = 30.0
WAITING = frozenset(f"/qmtl.gateway.v1.StrategyService/{name}" for name in ("SubmitStrategy", "CancelStrategy"))


@dataclass(slots=True)
class Load:
    """This process's share of one core: `too_much` once it stayed above `share_max` for `sustained_s`; and its p99."""

    share_max: float
    sustained_s: float
    p99_max_s: float
    recent: RecentCalls
    too_much: bool = False
    p99_s: float = 0.0
    _looked: tuple[float, float] | None = None
    _above_since: float | None = None

    def look(self) -> None:
        """Measure since the last look."""
        self.p99_s = self.recent.quantile(0.99, P99_WINDOW_S, WAITING)
        now, used = time.monotonic(), time.process_time()
        before, self._looked = self._looked, (now, used)
        if before is None or now <= before[0]:
            return
        if (used - before[1]) / (now - before[0]) <= self.share_max:
            self._above_since = None
        elif self._above_since is None:
            self._above_since = before[0]
        self.too_much = self._above_since is not None and now - self._above_since >= self.sustained_s
