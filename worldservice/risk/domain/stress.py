"""Losses of a book under scenarios: shocks to exposures, worst days, windows of the past, correlations of 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from worldservice.risk.domain.covariance import Covariance
from worldservice.risk.domain.returns import SharedReturns
from worldservice.risk.domain.snapshot import Exposure, Scenario
from worldservice.risk.domain.tail_risk import normal_quantile

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats

WORST_WINDOWS = (1, 5, 20)
CORRELATION_ONE = "correlation_one"


@dataclass(frozen=True, slots=True)
class StressLoss:
    """The loss of a scenario as a fraction of capital, positive is a loss; symbols that no shock reached count as 0."""

    name: str
    loss: float
    unshocked: tuple[str, ...] = ()


def correlation_one(weights: Mapping[str, float], covariance: Covariance, level: float = 0.99) -> StressLoss:
    """The normal VaR if all correlations were 1: z sum w_i s_i."""
    ids = sorted(name for name, weight in weights.items() if weight != 0)
    vols = np.sqrt(np.maximum(covariance.of(ids).diagonal(), 0.0)) if ids else np.empty(0)
    vector = np.array([weights[name] for name in ids])
    return StressLoss(CORRELATION_ONE, normal_quantile(level) * float(vector @ vols) if ids else 0.0)


def shocked(scenario: Scenario, exposures: Sequence[Exposure], capital: Decimal) -> StressLoss:
    """-sum(exposure x shock) / capital; the shock of a symbol, else of its sector, else of its asset class, else 0."""
    loss, unshocked = 0.0, set()
    for one in exposures:
        shock = _shock(scenario, one)
        if shock is None:
            unshocked.add(one.symbol)
        else:
            loss -= float(one.notional / capital) * shock
    return StressLoss(scenario.name, loss + 0.0, tuple(sorted(unshocked)))


def worst_windows(returns: Floats) -> list[StressLoss]:
    """The largest losses of 1, 5 and 20 consecutive days in the returns (n,) of the book; none for fewer days."""
    return [
        StressLoss(f"worst_{days}d", _worst(returns, days)) for days in WORST_WINDOWS if len(returns) >= max(days, 1)
    ]


def past_window(scenario: Scenario, shared: SharedReturns, weights: Floats) -> StressLoss | None:
    """The loss of today's book over a window of the past, held unchanged; None where no shared day lies in it."""
    if scenario.window is None:
        return None
    first, last = (day.toordinal() for day in scenario.window)
    inside = (shared.starts >= first) & (shared.days <= last)
    if not inside.any():
        return None
    return StressLoss(scenario.name, 0.0 - float(np.prod(1.0 + shared.weighted(weights)[inside]) - 1.0))


def _shock(scenario: Scenario, one: Exposure) -> float | None:
    for table, key in (
        (scenario.by_symbol, one.symbol),
        (scenario.by_sector, one.sector),
        (scenario.by_asset_class, one.asset_class),
    ):
        if key and key in table:
            return table[key]
    return None


def _worst(returns: Floats, days: int) -> float:
    """By products of each window, so that no long running product loses digits."""
    windows = np.lib.stride_tricks.sliding_window_view(1.0 + returns, days)
    return 0.0 - float(windows.prod(axis=1).min() - 1.0)
