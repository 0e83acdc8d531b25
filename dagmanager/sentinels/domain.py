"""Version sentinels: the boundary of one submission of a strategy, and the share of traffic it gets.

The split itself is `qmtl.core.traffic`, because order gate and SDK call the same function.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

from qmtl.core.errors import Conflict, InvalidRequest, Violation

DEFAULT_WEIGHT = 1.0


@dataclass(frozen=True, slots=True)
class Sentinel:
    """One version of a strategy with its traffic weight, 0..1."""

    sentinel_id: str
    strategy_id: str
    version: int
    commit_hash: str
    traffic_weight: float
    revision: int
    created_at: datetime

    @property
    def etag(self) -> str:
        """Changes with every change of the sentinel."""
        return f"{self.sentinel_id}/{self.revision}"


def sentinel_id(strategy_id: str, version: int) -> str:
    """The id of the sentinel of a version: `strategy@version`."""
    return f"{strategy_id}@{version}"


def clamped(weight: float | None) -> float:
    """A submission's weight forced into 0..1; absent is 1, not a number is refused."""
    if weight is None:
        return DEFAULT_WEIGHT
    if math.isnan(weight):
        raise _bad_weight(weight)
    return min(1.0, max(0.0, weight))


def with_weight(sentinel: Sentinel, weight: float, etag: str) -> Sentinel:
    """The sentinel after an operator's change; the same value when nothing changes.

    Raises InvalidRequest (E_TRAFFIC_WEIGHT), Conflict (E_ETAG_MISMATCH). An empty etag checks nothing.
    """
    if not 0.0 <= weight <= 1.0:
        raise _bad_weight(weight)
    if etag and etag != sentinel.etag:
        raise Conflict(
            "E_ETAG_MISMATCH",
            f"etag is {etag!r}, the sentinel is at {sentinel.etag!r}",
            hint="read the sentinel again, then decide again",
            metadata={"etag": sentinel.etag},
        )
    if weight == sentinel.traffic_weight:
        return sentinel
    return replace(sentinel, traffic_weight=weight, revision=sentinel.revision + 1)


def _bad_weight(weight: float) -> InvalidRequest:
    violation = Violation("traffic_weight", str(weight), "a number from 0 to 1")
    return InvalidRequest("E_TRAFFIC_WEIGHT", str(violation), violations=(violation,))
