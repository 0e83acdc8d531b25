"""GARCH(1,1): quiet bars follow quiet ones, and wild bars wild ones."""

from __future__ import annotations

import math

import numpy as np

from qmtl.core.errors import refused
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.generators.shape import Shape, require


def garch(shape: Shape, *, drift: float = 0.0, volatility: float = 0.5, alpha: float = 0.1, beta: float = 0.85) -> Bars:
    """GARCH(1,1) by bars: h' = omega + alpha r^2 + beta h, r = sqrt(h) z, z standard normal, r the move of a bar.

    omega is set so that the mean of h is `volatility`^2 of a year's bars: omega = (1 - alpha - beta) mean. The steps
    inside a bar share its h. Source: Bollerslev 1986. Raises InvalidRequest (E_FIELD), also where alpha + beta is not
    below 1: there is no mean then.
    """
    require("drift", drift, -100.0, 100.0)
    require("volatility", volatility, 0.0, 100.0)
    require("alpha", alpha, 0.0, 1.0)
    require("beta", beta, 0.0, 1.0)
    if alpha + beta >= 1.0:
        raise refused("E_FIELD", "alpha + beta", repr(alpha + beta), "below 1")
    random, bar = shape.random(), shape.dt * shape.steps
    noise = random.standard_normal((shape.bars, shape.steps)) / math.sqrt(shape.steps)
    mean = volatility * volatility * bar
    omega, h = (1.0 - alpha - beta) * mean, mean
    variances = np.empty(shape.bars)
    for index, z in enumerate(noise.sum(axis=1).tolist()):
        variances[index] = h
        h = omega + (alpha * z * z + beta) * h
    inside = np.sqrt(variances)[:, None] * noise + (drift * bar - 0.5 * variances)[:, None] / shape.steps
    return shape.bars_of(inside.ravel(), random)
