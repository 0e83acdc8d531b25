"""Covariance of daily returns: estimated with shrinkage where none is given, and never mended where it is wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import InvalidRequest, NotReady
from worldservice.risk.domain.returns import DailyReturns, SharedReturns, shared_returns

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats

DAYS_MAX = 500
DAYS_MIN = 60
DAYS_PER_STRATEGY = 2
EIGENVALUE_MIN = -1e-10  # of the trace: what rounding can make of a zero


@dataclass(frozen=True, slots=True, eq=False)
class Covariance:
    """Covariance per day, in fractions squared. `ids` sorted; `matrix` (p, p), symmetric.

    `shrinkage` is the k of the estimate and `days` its sample; both None where the covariance was given.
    """

    ids: tuple[str, ...]
    matrix: Floats
    shrinkage: float | None = None
    days: int | None = None
    _at: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_at", {name: at for at, name in enumerate(self.ids)})

    def of(self, ids: Sequence[str]) -> Floats:
        """The block (len(ids), len(ids)) of some ids. Raises InvalidRequest (E_COVARIANCE_INCOMPLETE) with the pair."""
        missing = next((name for name in ids if name not in self._at), None)
        if missing is not None:
            other = next((name for name in ids if name != missing), missing)
            raise incomplete(*sorted((missing, other)))
        at = [self._at[name] for name in ids]
        return self.matrix[np.ix_(at, at)]

    def vols(self) -> Floats:
        """Daily standard deviations (p,), fractions."""
        return np.sqrt(np.maximum(self.matrix.diagonal(), 0.0))

    def correlations(self) -> Floats:
        """Correlations (p, p); 0 beside a strategy that never moves, 1 on the diagonal."""
        vols = self.vols()
        scale = np.outer(vols, vols)
        found: Floats = np.divide(self.matrix, scale, out=np.zeros_like(self.matrix), where=scale > 0)
        np.fill_diagonal(found, 1.0)
        return found


def ledoit_wolf(rows: Floats) -> tuple[Floats, float]:
    """Shrinkage towards a multiple of the identity of rows (n, p): the covariance (p, p) and its k in [0, 1].

    S = Y'Y/n of centred Y; mu = tr S / p; d2 = |S - mu I|^2 / p; b2 = min(d2, sum |yy' - S|^2 / (n^2 p)); k = b2 / d2.
    (Ledoit and Wolf 2004, A well-conditioned estimator for large-dimensional covariance matrices.)
    """
    count, width = rows.shape
    centred = rows - rows.mean(axis=0)
    sample = centred.T @ centred / count
    mu = float(np.trace(sample)) / width
    distance = float(((sample - mu * np.eye(width)) ** 2).sum()) / width
    # the sum of |yy' - S|^2 over the rows is the sum of |y|^4 less n |S|^2, since S is the mean of yy'
    spread = float(((centred**2).sum(axis=1) ** 2).sum()) - count * float((sample**2).sum())
    error = min(distance, max(0.0, spread) / (count * count * width))
    k = error / distance if distance > 0 else 0.0
    return (1.0 - k) * sample + k * mu * np.eye(width), k


def covariance_of(returns: Mapping[str, DailyReturns]) -> Covariance:
    """The covariance of strategies over the newest 500 days that all of them share.

    Raises NotReady (E_RISK_SAMPLE_SHORT), naming the shortest, for fewer than max(60, 2 x strategies) days.
    """
    return covariance_of_days(shared_returns(returns), returns)


def covariance_of_days(shared: SharedReturns, returns: Mapping[str, DailyReturns]) -> Covariance:
    """As `covariance_of`, of days already shared; `returns` names the shortest where they are too few."""
    want = max(DAYS_MIN, DAYS_PER_STRATEGY * len(shared.ids))
    if len(shared) < want:
        raise sample_short("covariance", len(shared), want, {name: returns[name] for name in shared.ids})
    newest = shared.newest(DAYS_MAX)
    matrix, k = ledoit_wolf(newest.rows)
    return Covariance(shared.ids, matrix, k, len(newest))


def covariance_of_triangle(ids: Sequence[str], triangle: Sequence[float]) -> Covariance:
    """A covariance from its sorted ids and its lower triangle by rows, diagonal included.

    Raises InvalidRequest (E_COVARIANCE_INCOMPLETE) with the first pair that is missing.
    """
    width = len(ids)
    want = width * (width + 1) // 2
    if len(triangle) < want:
        rows, columns = np.tril_indices(width)
        raise incomplete(ids[columns[len(triangle)]], ids[rows[len(triangle)]])
    matrix = np.zeros((width, width))
    matrix[np.tril_indices(width)] = triangle
    return Covariance(tuple(ids), matrix + np.tril(matrix, -1).T)


def check_semidefinite(covariance: Covariance) -> None:
    """Raises InvalidRequest (E_COVARIANCE_NOT_PSD) with the eigenvalue that is below -1e-10 of the trace."""
    if not covariance.ids:
        return
    least = float(np.linalg.eigvalsh(covariance.matrix)[0])
    if least < EIGENVALUE_MIN * max(0.0, float(np.trace(covariance.matrix))):
        raise InvalidRequest(
            "E_COVARIANCE_NOT_PSD",
            f"covariance has the eigenvalue {least:.6g}, want none below {EIGENVALUE_MIN:g} of its trace",
            hint="estimate all pairs on the same days; a covariance is never mended here",
            metadata={"eigenvalue": f"{least:.6g}"},
        )


def portfolio_vol(weights: Mapping[str, float], covariance: Covariance) -> float:
    """Daily standard deviation sqrt(w'Cw) of a book, a fraction. Weights of 0 need no covariance.

    Raises InvalidRequest (E_COVARIANCE_INCOMPLETE) with the pair that is missing.
    """
    ids = sorted(name for name, weight in weights.items() if weight != 0)
    vector = np.array([weights[name] for name in ids])
    return quadratic_vol(vector, covariance.of(ids)) if ids else 0.0


def quadratic_vol(weights: Floats, matrix: Floats) -> float:
    """sqrt(w'Cw); 0 where rounding makes the square negative, not finite where a value of C is not."""
    square = float(weights @ matrix @ weights)
    return 0.0 if square < 0 else math.sqrt(square)


def incomplete(first: str, second: str) -> InvalidRequest:
    """The error of a covariance without a pair."""
    return InvalidRequest(
        "E_COVARIANCE_INCOMPLETE",
        f"covariance has no value for the pair ({first}, {second}), want one for all pairs of strategies with a weight",
        hint="send the whole lower triangle, or none: then it is derived from the returns",
        metadata={"pair": f"{first},{second}"},
    )


def sample_short(what: str, have: int, want: int, returns: Mapping[str, DailyReturns]) -> NotReady:
    """The error of a sample with too few days; it names the strategy with the fewest."""
    shortest = min(sorted(returns), key=lambda name: len(returns[name].days), default="")
    days = len(returns[shortest].days) if shortest else 0
    return NotReady(
        "E_RISK_SAMPLE_SHORT",
        f"{what} has {have} days that all strategies share, want {want}; the shortest is {shortest} with {days} days",
        hint="wait for more days, or leave the strategy out",
        metadata={"strategy_id": shortest, "days": str(have), "want": str(want)},
    )
