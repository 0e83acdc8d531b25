"""Weights from a covariance: equal, by inverse volatility, with equal risk, of least variance.

All are of 0 or more and add up to 1. Float64: proposals are advice, and are rounded to exact shares afterwards.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qmtl.core.errors import NotReady

Doubles = npt.NDArray[np.float64]
TOLERANCE = 1e-10
ROUNDS_MAX = 10_000


def equal(covariance: Doubles) -> Doubles:
    """1/n each."""
    n = len(covariance)
    return np.full(n, 1.0 / n)


def inverse_volatility(covariance: Doubles) -> Doubles:
    """1/s, of their sum. Raises NotReady (E_RISK_INPUT) for a volatility of 0."""
    weights = 1.0 / _volatilities(covariance)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def equal_risk(covariance: Doubles) -> Doubles:
    """Equal risk contributions w_i (Cw)_i (Maillard, Roncalli, Teiletche 2010).

    Cyclic descent (Griveau-Billion, Richard, Roncalli 2013) on 1/2 x'Cx - sum b_i ln x_i with b_i = 1/n: each x_i
    is the positive root of C_ii x^2 + (rest of (Cx)_i) x - b_i, until no weight moves by more than 1e-10. Raises
    NotReady (E_RISK_INPUT) for a volatility of 0, or where 10,000 rounds do not reach that.
    """
    n = len(covariance)
    x = 1.0 / _volatilities(covariance)
    budget = 1.0 / n
    product = covariance @ x
    before = x / x.sum()
    for _ in range(ROUNDS_MAX):
        for i in range(n):
            own = covariance[i, i]
            rest = product[i] - own * x[i]
            root = (-rest + np.sqrt(rest * rest + 4.0 * own * budget)) / (2.0 * own)
            product += covariance[:, i] * (root - x[i])
            x[i] = root
        weights = x / x.sum()
        if np.abs(weights - before).max() < TOLERANCE:
            return np.asarray(weights, dtype=np.float64)
        before = weights
    raise NotReady(
        "E_RISK_INPUT", f"equal risk does not settle within {ROUNDS_MAX} rounds: the covariance is degenerate"
    )


def minimum_variance(covariance: Doubles) -> Doubles:
    """Least w'Cw with w of 0 or more and sum 1, by an active set on the problem without a budget: min 1/2 x'Cx - sum x.

    Lawson and Hanson's way (1974): add the variable whose gradient asks most, solve on those that are in, step back to
    where the first would turn negative. Raises NotReady (E_RISK_INPUT) for a volatility of 0.
    """
    scale = _volatilities(covariance).mean() ** 2
    scaled, n = covariance / scale, len(covariance)
    x, inside = np.zeros(n), np.zeros(n, dtype=bool)
    for _ in range(10 * n + 10):
        gradient = np.where(inside, -np.inf, 1.0 - scaled @ x)
        entering = int(np.argmax(gradient))
        if inside.all() or gradient[entering] <= TOLERANCE:
            break
        inside[entering] = True
        x = _settled(scaled, x, inside)
    return np.asarray(x / x.sum(), dtype=np.float64)


def _settled(covariance: Doubles, x: Doubles, inside: npt.NDArray[np.bool_]) -> Doubles:
    """The solution on the variables that are in, without those that would turn negative; changes `inside`."""
    while True:
        chosen = np.flatnonzero(inside)
        wanted = np.zeros(len(x))
        part = covariance[np.ix_(chosen, chosen)]
        wanted[chosen] = np.linalg.lstsq(part, np.ones(len(chosen)), rcond=None)[0]
        negative = chosen[wanted[chosen] <= 0]
        if not len(negative):
            return wanted
        moves = x[negative] / np.maximum(x[negative] - wanted[negative], np.finfo(float).tiny)
        x = x + moves.min() * (wanted - x)
        leaving = negative[moves == moves.min()]
        x[leaving] = 0.0
        inside[leaving] = False


def _volatilities(covariance: Doubles) -> Doubles:
    variances = np.diag(covariance)
    if not (variances > 0).all():
        raise NotReady("E_RISK_INPUT", "a daily volatility is 0, want all above 0", hint="leave that strategy out")
    return np.asarray(np.sqrt(variances), dtype=np.float64)
