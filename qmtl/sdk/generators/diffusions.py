"""Diffusions: geometric Brownian motion, and Heston's stochastic variance."""

from __future__ import annotations

import math

import numpy as np

from qmtl.sdk.data.bars import Bars
from qmtl.sdk.generators.shape import Shape, require


def gbm(shape: Shape, *, drift: float = 0.0, volatility: float = 0.5) -> Bars:
    """Geometric Brownian motion: d ln S = (drift - volatility^2 / 2) dt + volatility dW, exact at every step.

    `drift` and `volatility` are of a year of 365 days. Source: Black and Scholes 1973.
    Raises InvalidRequest (E_FIELD).
    """
    require("drift", drift, -100.0, 100.0)
    require("volatility", volatility, 0.0, 100.0)
    random, dt = shape.random(), shape.dt
    noise = random.standard_normal(shape.length)
    moves = (drift - 0.5 * volatility * volatility) * dt + volatility * math.sqrt(dt) * noise
    return shape.bars_of(moves, random)


def heston(
    shape: Shape,
    *,
    drift: float = 0.0,
    variance: float = 0.25,
    long_run: float = 0.25,
    reversion: float = 3.0,
    vol_of_variance: float = 0.8,
    correlation: float = -0.5,
) -> Bars:
    """Heston: dv = reversion (long_run - v) dt + vol_of_variance sqrt(v) dZ, d ln S = (drift - v / 2) dt + sqrt(v) dW.

    Euler steps with full truncation: where v would be below 0 its drift and noise use 0 (Lord, Koekkoek and van Dijk
    2010). `variance` is the first v; rates are of a year. Source: Heston 1993. Raises InvalidRequest (E_FIELD).
    """
    require("drift", drift, -100.0, 100.0)
    require("variance", variance, 0.0, 100.0)
    require("long_run", long_run, 0.0, 100.0)
    require("reversion", reversion, 0.0, 1_000.0)
    require("vol_of_variance", vol_of_variance, 0.0, 100.0)
    require("correlation", correlation, -1.0, 1.0)
    random, dt = shape.random(), shape.dt
    own, shared = random.standard_normal((2, shape.length))
    root, across = math.sqrt(dt), math.sqrt(1.0 - correlation * correlation)
    variances, v = np.empty(shape.length), variance
    for index, noise in enumerate(shared.tolist()):
        held = max(v, 0.0)
        variances[index] = held
        v += reversion * (long_run - held) * dt + vol_of_variance * math.sqrt(held) * root * noise
    moves = (drift - 0.5 * variances) * dt + np.sqrt(variances) * root * (correlation * shared + across * own)
    return shape.bars_of(moves, random)
