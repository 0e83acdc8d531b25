"""The steps of the built-in folds: plain Python that numba can compile unchanged.

Each keeps its whole state in a flat vector. Windows are summed oldest to newest every time, because a
running sum depends on where it started. Formulas, units and sources are in the docstrings of
qmtl.sdk.indicators; here is only the arithmetic, in TA-Lib's order where TA-Lib has the indicator.
"""

from __future__ import annotations

import math

from qmtl.sdk.graph.fold import Vector

RING_HEAD = 2
"""A ring is [count, next slot, slots...]."""


def ring_push(state: Vector, at: int, n: int, x: float) -> bool:
    """Put x into the ring of n slots at `at`; True once it is full."""
    slot = int(state[at + 1])
    state[at + 2 + slot] = x
    state[at + 1] = float((slot + 1) % n)
    if state[at] < n:
        state[at] += 1.0
    return state[at] >= n


def ring_sum(state: Vector, at: int, n: int) -> float:
    """Sum of a full ring, oldest first."""
    first = int(state[at + 1])
    total = 0.0
    for i in range(n):
        total += state[at + 2 + (first + i) % n]
    return total


def ring_squares(state: Vector, at: int, n: int, mean: float) -> float:
    """Sum of squared distances from the mean of a full ring, oldest first."""
    first = int(state[at + 1])
    total = 0.0
    for i in range(n):
        distance = state[at + 2 + (first + i) % n] - mean
        total += distance * distance
    return total


def ring_oldest(state: Vector, at: int) -> float:
    """Oldest value of a full ring."""
    return state[at + 2 + int(state[at + 1])]


def ema_push(state: Vector, at: int, n: int, x: float) -> bool:
    """Advance the EMA [count, value] at `at`, seeded by the mean of its first n inputs; True once seeded."""
    state[at] += 1.0
    if state[at] < n:
        state[at + 1] += x
        return False
    if state[at] == n:
        state[at + 1] = (state[at + 1] + x) / n
        return True
    previous = state[at + 1]
    state[at + 1] = (x - previous) * (2.0 / (n + 1.0)) + previous
    return True


def wilder_push(state: Vector, at: int, n: int, x: float) -> bool:
    """Advance Wilder's average [count, value] at `at`, seeded by the mean of its first n inputs."""
    state[at] += 1.0
    if state[at] < n:
        state[at + 1] += x
        return False
    if state[at] == n:
        state[at + 1] = (state[at + 1] + x) / n
        return True
    state[at + 1] = (state[at + 1] * (n - 1.0) + x) / n
    return True


def sma_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    if not ring_push(state, 0, n, x[0]):
        return False
    out[0] = ring_sum(state, 0, n) / n
    return True


def ema_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    if not ema_push(state, 0, int(params[0]), x[0]):
        return False
    out[0] = state[1]
    return True


def rsi_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    change = x[0] - state[1]
    first = state[0] == 0.0
    state[0] = 1.0
    state[1] = x[0]
    if first:
        return False
    warm = wilder_push(state, 2, n, change if change > 0.0 else 0.0)
    wilder_push(state, 4, n, -change if change < 0.0 else 0.0)
    if not warm:
        return False
    total = state[3] + state[5]
    out[0] = 100.0 * (state[3] / total) if total > 0.0 else 0.0
    return True


def macd_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    fast, slow, signal = int(params[0]), int(params[1]), int(params[2])
    # TA-Lib starts the fast average late, so that both are seeded on the same bar.
    if state[0] >= slow - fast:
        ema_push(state, 1, fast, x[0])
    state[0] += 1.0
    if not ema_push(state, 3, slow, x[0]):
        return False
    macd = state[2] - state[4]
    if not ema_push(state, 5, signal, macd):
        return False
    out[0] = macd
    out[1] = state[6]
    out[2] = macd - state[6]
    return True


def atr_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    high, low, close = x[0], x[1], x[2]
    previous = state[1]
    first = state[0] == 0.0
    state[0] = 1.0
    state[1] = close
    if first:
        return False
    true_range = high - low
    if abs(high - previous) > true_range:
        true_range = abs(high - previous)
    if abs(low - previous) > true_range:
        true_range = abs(low - previous)
    if not wilder_push(state, 2, int(params[0]), true_range):
        return False
    out[0] = state[3]
    return True


def returns_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    full = state[0] >= n
    base = ring_oldest(state, 0) if full else 0.0
    ring_push(state, 0, n, x[0])
    if not full:
        return False
    out[0] = x[0] / base - 1.0 if base != 0.0 else 0.0
    return True


def rolling_vol_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    previous = state[1]
    first = state[0] == 0.0
    state[0] = 1.0
    state[1] = x[0]
    if first:
        return False
    change = x[0] / previous - 1.0 if previous != 0.0 else 0.0
    if not ring_push(state, 2, n, change):
        return False
    mean = ring_sum(state, 2, n) / n
    out[0] = math.sqrt(ring_squares(state, 2, n, mean) / (n - 1.0)) * math.sqrt(params[1])
    return True


def zscore_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    if not ring_push(state, 0, n, x[0]):
        return False
    mean = ring_sum(state, 0, n) / n
    deviation = math.sqrt(ring_squares(state, 0, n, mean) / n)
    out[0] = (x[0] - mean) / deviation if deviation > 0.0 else 0.0
    return True


def cross_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    side = 0.0
    if x[0] > x[1]:
        side = 1.0
    elif x[0] < x[1]:
        side = -1.0
    before = state[1]
    first = state[0] == 0.0
    state[0] = 1.0
    if side != 0.0:
        state[1] = side
    if first:
        return False
    out[0] = side if side != 0.0 and before != 0.0 and side != before else 0.0
    return True


def trend_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = 0.0
    if x[0] > x[1]:
        out[0] = 1.0
    elif x[0] < x[1]:
        out[0] = -1.0
    return True


def threshold_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = 0.0
    if x[0] > params[0]:
        out[0] = 1.0
    elif x[0] < params[1]:
        out[0] = -1.0
    return True


def target_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """params: long, flat, short, hold. State: [started, target]."""
    if state[0] == 0.0:
        state[0] = 1.0
        state[1] = params[1]
    if x[0] > 0.0:
        state[1] = params[0]
    elif x[0] < 0.0:
        state[1] = params[2]
    elif params[3] == 0.0:
        state[1] = params[1]
    out[0] = state[1]
    return True


def copy2_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[0]
    out[1] = x[1]
    return True
