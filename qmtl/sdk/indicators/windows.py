"""Windows and averages that several indicators keep in their state, as plain functions that numba can compile.

Windows are summed oldest to newest every time, because a running sum depends on where it started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qmtl.sdk.graph.fold import Vector

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats

RING_HEAD = 2
"""A ring is [count, next slot, slots...]."""

EQUAL = 64 * 2.0**-52
"""Deviation of values that are equal but for a few roundings, as a share of their mean; as of qmtl.stats.moments."""

_BLOCK = 16_384
"""Sums that are made together, so that they stay in a processor's cache."""


def ring_push(state: Vector, at: int, n: int, x: float) -> bool:
    """Put x into the ring of n slots at `at`; True once it is full."""
    slot = int(state[at + 1])
    state[at + 2 + slot] = x
    state[at + 1] = slot + 1.0 if slot + 1 < n else 0.0
    if state[at] < n:
        state[at] += 1.0
    return state[at] >= n


def ring_sum(state: Vector, at: int, n: int) -> float:
    """Sum of a full ring, oldest first."""
    first = int(state[at + 1])
    total = 0.0
    for slot in range(at + 2 + first, at + 2 + n):
        total += state[slot]
    for slot in range(at + 2, at + 2 + first):
        total += state[slot]
    return total


def ratio_push(state: Vector, n: int, above: float, below: float, out: Vector) -> bool:
    """Push both into their rings, which begin the state: sum of `above` / sum of `below`, none unless above 0."""
    ring_push(state, RING_HEAD + n, n, below)
    if not ring_push(state, 0, n, above):
        return False
    total = ring_sum(state, RING_HEAD + n, n)
    if not total > 0.0:
        return False
    out[0] = ring_sum(state, 0, n) / total
    return out[0] - out[0] == 0.0


def ring_squares(state: Vector, at: int, n: int, mean: float) -> float:
    """Sum of squared distances from the mean of a full ring, oldest first."""
    first = int(state[at + 1])
    total = 0.0
    for slot in range(at + 2 + first, at + 2 + n):
        distance = state[slot] - mean
        total += distance * distance
    for slot in range(at + 2, at + 2 + first):
        distance = state[slot] - mean
        total += distance * distance
    return total


def ring_sums(state: list[float], n: int, xs: Floats) -> Floats:
    """Put xs (m,) into the ring of n slots at 0, all at once: the sums of the full ring after the last of them, after
    the one before it and so on, in order of time. Each is added oldest to newest, as by `ring_sum`.
    """
    count, slot = int(state[0]), int(state[1])
    first = slot if count == n else 0
    values = np.concatenate([state[RING_HEAD + first :], state[RING_HEAD : RING_HEAD + first], xs])
    values = np.delete(values, slice(count, n))
    sums = np.zeros(max(len(values) - n + 1, 0))
    for begin in range(0, len(sums), _BLOCK):
        part = sums[begin : begin + _BLOCK]
        for at in range(begin, begin + n):
            part += values[at : at + len(part)]
    state[0], slot = float(min(len(values), n)), (slot + len(xs)) % n
    state[1], first = float(slot), slot if len(values) >= n else 0
    for at, value in enumerate(values[-n:].tolist()):
        state[RING_HEAD + (first + at) % n] = value
    return sums[len(sums) - len(xs) :] if len(sums) > len(xs) else sums


def ring_oldest(state: Vector, at: int) -> float:
    """Oldest value of a full ring."""
    return state[at + 2 + int(state[at + 1])]


def seed_push(state: Vector, at: int, n: int, x: float) -> bool:
    """Put x into the [count, mean of the first n inputs] at `at`; False once the mean is whole, with x only counted."""
    state[at] += 1.0
    if state[at] > n:
        return False
    state[at + 1] += x
    if state[at] == n:
        state[at + 1] /= n
    return True


def ema_push(state: Vector, at: int, n: int, x: float) -> bool:
    """Advance the EMA [count, value] at `at`, seeded by the mean of its first n inputs; True once seeded."""
    if not seed_push(state, at, n, x):
        previous = state[at + 1]
        state[at + 1] = (x - previous) * (2.0 / (n + 1.0)) + previous
    return state[at] >= n


def wilder_push(state: Vector, at: int, n: int, x: float) -> bool:
    """Advance Wilder's average [count, value] at `at`, seeded by the mean of its first n inputs; True once seeded."""
    if not seed_push(state, at, n, x):
        state[at + 1] = (state[at + 1] * (n - 1.0) + x) / n
    return state[at] >= n


def ring_back(state: Vector, at: int, n: int, back: int) -> float:
    """The value `back` pushes before the newest of a ring that has it; 0: the newest."""
    slot = int(state[at + 1]) - 1 - back
    return state[at + 2 + (slot if slot >= 0 else slot + n)]


def ring_highest(state: Vector, at: int, n: int, among: int) -> float:
    """The highest of the newest `among` values."""
    highest = ring_back(state, at, n, 0)
    for back in range(1, among):
        value = ring_back(state, at, n, back)
        if value > highest:
            highest = value
    return highest


def ring_lowest(state: Vector, at: int, n: int, among: int) -> float:
    """The lowest of the newest `among` values."""
    lowest = ring_back(state, at, n, 0)
    for back in range(1, among):
        value = ring_back(state, at, n, back)
        if value < lowest:
            lowest = value
    return lowest


def atr_push(state: Vector, at: int, n: int, high: float, low: float, close: float) -> bool:
    """Advance the average true range [any before, close before, count, value] at `at`; True once it has a value."""
    previous = state[at + 1]
    first = state[at] == 0.0
    state[at] = 1.0
    state[at + 1] = close
    if first:
        return False
    true_range = high - low
    if abs(high - previous) > true_range:
        true_range = abs(high - previous)
    if abs(low - previous) > true_range:
        true_range = abs(low - previous)
    return wilder_push(state, at + 2, n, true_range)


def rsi_push(state: Vector, at: int, n: int, x: float) -> bool:
    """Advance the RSI [any before, value before, gains (2), losses (2)] at `at`; True once it has a value."""
    change = x - state[at + 1]
    first = state[at] == 0.0
    state[at] = 1.0
    state[at + 1] = x
    if first:
        return False
    warm = wilder_push(state, at + 2, n, change if change > 0.0 else 0.0)
    wilder_push(state, at + 4, n, -change if change < 0.0 else 0.0)
    return warm


def rsi_value(state: Vector, at: int) -> float:
    """The RSI of a state that has one; 0 if nothing moved."""
    total = state[at + 3] + state[at + 5]
    return 100.0 * (state[at + 3] / total) if total > 0.0 else 0.0
