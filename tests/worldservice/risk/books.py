"""Seeded books of strategies: weights, daily returns, snapshots of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import numpy as np

from worldservice.risk.domain.returns import DailyReturns
from worldservice.risk.domain.scope import parse_scope
from worldservice.risk.domain.snapshot import Provenance, RiskStage, Snapshot

AS_OF = datetime(2026, 7, 1, tzinfo=UTC)


def series(values: Sequence[float], last: date = date(2026, 6, 30)) -> DailyReturns:
    """Returns of consecutive days, the last of them on `last`."""
    end = last.toordinal() + 1
    return DailyReturns(tuple(range(end - len(values), end)), tuple(float(value) for value in values))


def book(count: int, days: int, seed: int) -> tuple[dict[str, float], dict[str, DailyReturns]]:
    """Strategies s0, s1, ... that share a factor, with weights that sum to 1."""
    random = np.random.Generator(np.random.PCG64(seed))
    market = random.normal(0.0, 0.008, days)
    weights = random.uniform(0.2, 1.0, count)
    weights /= weights.sum()
    names = [f"s{at}" for at in range(count)]
    returns = {name: series((0.5 * market + random.normal(0.0003, 0.01, days)).tolist()) for name in names}
    return dict(zip(names, weights.tolist(), strict=True)), returns


def snapshot_of(
    weights: Mapping[str, float], returns: Mapping[str, DailyReturns], scope: str = "world:w1", version: str = "v1"
) -> Snapshot:
    return Snapshot(
        scope=parse_scope(scope),
        version=version,
        as_of=AS_OF,
        weights=weights,
        returns=returns,
        provenance=Provenance("service:brokerage", RiskStage.LIVE),
    )
