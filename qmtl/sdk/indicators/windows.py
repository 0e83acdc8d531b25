"""Windows and averages that several indicators keep in their state, as plain functions that numba can compile.

Windows are summed oldest to newest every time, because a running sum depends on where it started.
"""

from __future__ import annotations

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
