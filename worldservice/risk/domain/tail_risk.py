"""Value at risk and expected shortfall of a book over one day, by the normal and the historical method.

All are positive fractions of the book's capital: a loss is positive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import refused
from qmtl.stats.tails import expected_shortfall, value_at_risk
from worldservice.risk.domain.covariance import Covariance, portfolio_vol

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats

HORIZON_DAYS_MAX = 10
HISTORY_DAYS_MIN = 250
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class TailRisk:
    """VaR at 99 and 97.5 %, ES at both, of one method."""

    var_99: float
    es_99: float
    var_975: float
    es_975: float


def normal_quantile(level: float) -> float:
    """z: 2.326348 at .99, 1.959964 at .975."""
    return _NORMAL.inv_cdf(level)


def normal_var(vol: float, level: float = 0.99, days: int = 1) -> float:
    """z x vol x sqrt(days), of zero mean. (RiskMetrics 1996.) Raises InvalidRequest (E_FIELD) beyond 10 days."""
    return normal_quantile(level) * vol * math.sqrt(_horizon(days))


def normal_es(vol: float, level: float = 0.99, days: int = 1) -> float:
    """phi(z) / (1 - level) x vol x sqrt(days): the factors are 2.665214 at .99 and 2.337803 at .975."""
    return _NORMAL.pdf(normal_quantile(level)) / (1.0 - level) * vol * math.sqrt(_horizon(days))


def normal_tail(vol: float) -> TailRisk:
    """The four numbers of the normal method from a daily standard deviation."""
    return TailRisk(normal_var(vol), normal_es(vol), normal_var(vol, 0.975), normal_es(vol, 0.975))


def historical_tail(returns: Floats) -> TailRisk | None:
    """The four numbers over the returns (n,) of a book at today's weights; None of fewer than 250 days."""
    if len(returns) < HISTORY_DAYS_MIN:
        return None
    return TailRisk(
        value_at_risk(returns, 0.99),
        expected_shortfall(returns, 0.99),
        value_at_risk(returns, 0.975),
        expected_shortfall(returns, 0.975),
    )


def components(weights: Mapping[str, float], covariance: Covariance, level: float = 0.99) -> dict[str, float]:
    """Each strategy's part z w_i (Cw)_i / s of the normal VaR; the parts sum to it. (Euler; Tasche 1999.)

    A hedge's part is negative. All are 0 in a book that does not move.
    """
    ids = sorted(name for name, weight in weights.items() if weight != 0)
    parts = dict.fromkeys(sorted(weights), 0.0)
    vol = portfolio_vol(weights, covariance)
    if vol > 0:
        vector = np.array([weights[name] for name in ids])
        each = normal_quantile(level) * vector * (covariance.of(ids) @ vector) / vol
        parts.update(zip(ids, each.tolist(), strict=True))
    return parts


def with_candidate(weights: Mapping[str, float], candidate: str, share: float) -> dict[str, float]:
    """The book (1 - share) w with `share` in the candidate, added to what the candidate has already.

    Raises InvalidRequest (E_FIELD) for a share outside (0, 1).
    """
    if not 0.0 < share < 1.0:
        raise refused("E_FIELD", "share", share, "a number between 0 and 1, both excluded")
    found = {name: (1.0 - share) * weight for name, weight in weights.items()}
    found[candidate] = found.get(candidate, 0.0) + share
    return found


def _horizon(days: int) -> int:
    if not 1 <= days <= HORIZON_DAYS_MAX:
        raise refused("E_FIELD", "days", days, f"1 to {HORIZON_DAYS_MAX}")
    return days
