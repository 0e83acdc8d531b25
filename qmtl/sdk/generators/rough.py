"""Rough volatility: variance whose logarithm is rougher than Brownian motion, as that of real markets is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qmtl.sdk.data.bars import Bars
from qmtl.sdk.generators.shape import Shape, require

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats


def rough_bergomi(
    shape: Shape, *, variance: float = 0.25, hurst: float = 0.1, eta: float = 1.5, correlation: float = -0.7
) -> Bars:
    """Rough Bergomi: v = variance exp(eta Y - eta^2 t^(2H) / 2), d ln S = -v / 2 dt + sqrt(v) dB, corr(dB, dW) given.

    Y is the Volterra process of `volterra` over the same W. `variance` is the mean of v at all times, `hurst` is H.
    Source: Bayer, Friz and Gatheral 2016. Raises InvalidRequest (E_FIELD).
    """
    require("variance", variance, 0.0, 100.0)
    require("hurst", hurst, 0.01, 0.49)
    require("eta", eta, 0.0, 10.0)
    require("correlation", correlation, -1.0, 1.0)
    random, dt = shape.random(), shape.dt
    moved, y = volterra(random, shape.length, dt, hurst)
    own = random.standard_normal(shape.length) * math.sqrt(dt)
    times = dt * np.arange(1, shape.length + 1)
    ends = variance * np.exp(eta * y - 0.5 * eta * eta * times ** (2.0 * hurst))
    held = np.concatenate(([variance], ends[:-1]))  # the variance at the begin of a step: it must not know its own move
    moves = -0.5 * held * dt + np.sqrt(held) * (correlation * moved + math.sqrt(1.0 - correlation**2) * own)
    return shape.bars_of(moves, random)


def volterra(random: np.random.Generator, length: int, dt: float, hurst: float) -> tuple[Floats, Floats]:
    """Moves of a Brownian W, and Y(t) = sqrt(2H) x integral over s < t of (t - s)^(H - 1/2) dW(s) at the steps' ends.

    The hybrid scheme with one exact cell: the nearest step's part is drawn jointly with W's move, older steps count at
    the kernel's best point b_k. var Y(t) = t^(2H). Source: Bennedsen, Lunde and Pakkanen 2017, kappa = 1.
    """
    a = hurst - 0.5
    variance, nearest, shared = dt, dt ** (2 * a + 1) / (2 * a + 1), dt ** (a + 1) / (a + 1)
    first, second = random.standard_normal((2, length))
    moved = math.sqrt(variance) * first
    near = shared / math.sqrt(variance) * first + math.sqrt(nearest - shared * shared / variance) * second
    k = np.arange(2, length + 1, dtype=np.float64)
    best = (k ** (a + 1) - (k - 1) ** (a + 1)) / (a + 1)  # b_k to the power of a
    kernel = np.concatenate(([0.0], best * dt**a))  # by how many steps ago
    size = 1 << (2 * length - 1).bit_length()
    older = np.fft.irfft(np.fft.rfft(kernel, size) * np.fft.rfft(moved, size), size)[:length]
    return moved, math.sqrt(2.0 * hurst) * (near + older)
