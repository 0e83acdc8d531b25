"""A proposal of shares: method, caps and floors, band, target of volatility. It has no expected returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from qmtl.core.errors import NotFound, NotReady, refused
from worldservice.allocation.domain.proposals.bounds import banded, filled, rounded
from worldservice.allocation.domain.proposals.hierarchical import hierarchical
from worldservice.allocation.domain.proposals.methods import equal, equal_risk, inverse_volatility, minimum_variance
from worldservice.allocation.domain.shares import CASH_BUFFER, ONE, STRATEGIES_MAX, ZERO, Owner, Shares

Doubles = npt.NDArray[np.float64]


class Method(Enum):
    """How weights are found."""

    EQUAL = "EQUAL"
    INVERSE_VOL = "INVERSE_VOL"
    ERC = "ERC"
    HRP = "HRP"
    MIN_VARIANCE = "MIN_VARIANCE"


_METHODS: Mapping[Method, Callable[[Doubles], Doubles]] = {
    Method.EQUAL: equal,
    Method.INVERSE_VOL: inverse_volatility,
    Method.ERC: equal_risk,
    Method.HRP: hierarchical,
    Method.MIN_VARIANCE: minimum_variance,
}


@dataclass(frozen=True, slots=True)
class Covariance:
    """Daily covariance of strategies, fractions squared, in order of owner. Make one with `covariance_of`."""

    owners: tuple[Owner, ...]
    matrix: Doubles


@dataclass(frozen=True, slots=True)
class Wish:
    """What a proposal is to keep. `cap` and `floor` are everybody's, `caps` and `floors` one strategy's own.

    `total`: what shares add up to before the target of volatility; `vol_target`: daily, a fraction, None: none.
    """

    method: Method
    total: Fraction = ONE - CASH_BUFFER
    cap: Fraction = ONE
    floor: Fraction = ZERO
    caps: Mapping[Owner, Fraction] = field(default_factory=dict)
    floors: Mapping[Owner, Fraction] = field(default_factory=dict)
    band: Fraction = ZERO
    vol_target: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """Shares of strategies and, as their sums, of worlds; the method's own weights; daily volatility of the shares."""

    shares: Shares
    weights: Mapping[Owner, float]
    daily_vol: float


def covariance_of(owners: Sequence[Owner], triangle: Sequence[float]) -> Covariance:
    """A covariance from the rows of its lower triangle, put in order of owner.

    Raises InvalidRequest (E_DUPLICATE_KEY, E_COVARIANCE): a number too many or too few, not finite, a variance below
    0, or a correlation outside -1 to 1.
    """
    n = len(owners)
    if not 1 <= n <= STRATEGIES_MAX:
        raise refused("E_COVARIANCE", "covariance.strategies", str(n), f"1 to {STRATEGIES_MAX}")
    if len(set(owners)) != n:
        raise refused("E_DUPLICATE_KEY", "covariance.strategies", "a strategy twice", "each once")
    if len(triangle) != n * (n + 1) // 2:
        raise refused("E_COVARIANCE", "covariance.lower", f"{len(triangle)} numbers", f"{n * (n + 1) // 2}")
    matrix = np.zeros((n, n))
    matrix[np.tril_indices(n)] = triangle
    matrix = matrix + np.tril(matrix, -1).T
    if not np.isfinite(matrix).all() or (np.diag(matrix) < 0).any():
        raise refused("E_COVARIANCE", "covariance.lower", "a number", "finite ones, variances of 0 or more")
    vol = np.sqrt(np.diag(matrix))
    if (np.abs(matrix) > np.outer(vol, vol) * (1 + 1e-9) + 1e-300).any():
        raise refused("E_COVARIANCE", "covariance.lower", "a correlation", "-1 to 1")
    order = sorted(range(n), key=lambda i: owners[i])
    return Covariance(tuple(owners[i] for i in order), matrix[np.ix_(order, order)])


def propose(covariance: Covariance, wish: Wish, today: Shares) -> Proposal:
    """The proposal. Raises InvalidRequest (E_CAPS_INFEASIBLE), NotFound (E_STRATEGY_UNKNOWN), NotReady."""
    owners = covariance.owners
    if strangers := sorted({*wish.caps, *wish.floors} - set(owners)):
        raise NotFound("E_STRATEGY_UNKNOWN", f"{'/'.join(strangers[0])} is not in the covariance")
    weights = _METHODS[wish.method](covariance.matrix)
    if not np.isfinite(weights).all():
        raise NotReady("E_RISK_INPUT", f"{wish.method.value} has no weights for this covariance")
    exact = [Fraction(float(weight)) for weight in weights]
    caps = [min(wish.caps.get(owner, wish.cap), ONE) for owner in owners]
    floors = [wish.floors.get(owner, wish.floor) for owner in owners]
    shares = filled(exact, wish.total, floors, caps)
    if wish.band:
        now = [today.strategy(owner) for owner in owners]
        shares = banded(shares, now, wish.band, wish.total, floors, caps)
    shares = _targeted(covariance.matrix, shares, wish.vol_target)
    shares = rounded(shares, sum(shares, ZERO))
    return _proposal(covariance, shares, weights)


def daily_vol(matrix: Doubles, shares: Sequence[Fraction]) -> float:
    """sqrt(w'Cw)."""
    w = np.array([float(share) for share in shares])
    return float(np.sqrt(max(w @ matrix @ w, 0.0)))


def _targeted(matrix: Doubles, shares: list[Fraction], target: Fraction | None) -> list[Fraction]:
    """All x min(1, target / s); the rest is cash."""
    vol = daily_vol(matrix, shares)
    if target is None or Fraction(vol) <= target:
        return shares
    return [share * target / Fraction(vol) for share in shares]


def _proposal(covariance: Covariance, shares: list[Fraction], weights: Doubles) -> Proposal:
    by_world: dict[str, Fraction] = {}
    for owner, share in zip(covariance.owners, shares, strict=True):
        by_world[owner.world_id] = by_world.get(owner.world_id, ZERO) + share
    by_owner = dict(zip(covariance.owners, shares, strict=True))
    kept = {owner: float(weight) for owner, weight in zip(covariance.owners, weights, strict=True)}
    return Proposal(Shares(by_world, by_owner), kept, daily_vol(covariance.matrix, shares))
