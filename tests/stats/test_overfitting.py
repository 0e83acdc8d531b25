"""The probability of backtest overfitting: by hand, for skill, for noise, and where it cannot be known."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.stats.overfitting import overfitting_probability


def by_hand(returns: np.ndarray, blocks: int) -> float:
    """The published steps in plain loops: rank of the best inside among all outside, logit at most 0."""
    parts, found = np.array_split(returns, blocks), []
    for inside in combinations(range(blocks), blocks // 2):
        chosen = np.vstack([parts[i] for i in inside])
        other = np.vstack([parts[i] for i in range(blocks) if i not in inside])
        best = max(range(returns.shape[1]), key=lambda k: chosen[:, k].mean() / chosen[:, k].std(ddof=1))
        outside = [other[:, k].mean() / other[:, k].std(ddof=1) for k in range(returns.shape[1])]
        omega = sorted(outside).index(outside[best]) + 1
        omega /= returns.shape[1] + 1
        found.append(math.log(omega / (1.0 - omega)) <= 0.0)
    return sum(found) / len(found)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_equals_the_published_steps(seed: int) -> None:
    random = np.random.default_rng(seed)
    returns = random.normal(0.0, 0.01, (120, 7)) + np.linspace(0.0, 0.004, 7)
    assert overfitting_probability(returns, 6) == by_hand(returns, 6)


def test_noise_is_overfitted_and_skill_is_not() -> None:
    random = np.random.default_rng(5)
    noise = random.normal(0.0, 0.01, (400, 20))
    skilled = noise.copy()
    skilled[:, 3] += 0.01
    assert overfitting_probability(noise) > 0.3
    assert overfitting_probability(skilled) == 0.0


def test_what_has_no_spread_is_ranked_as_zero() -> None:
    returns = np.zeros((40, 3))
    returns[:, 1] = -np.abs(np.random.default_rng(1).normal(0.01, 0.01, 40))
    assert overfitting_probability(returns, 4) == 0.0  # the flat ones tie for the best, above the loser


def test_too_little_is_not_known_and_odd_blocks_are_refused() -> None:
    assert math.isnan(overfitting_probability(np.zeros((100, 1))))
    assert math.isnan(overfitting_probability(np.zeros((19, 5))))
    assert not math.isnan(overfitting_probability(np.zeros((20, 5))))
    for blocks in (0, 3):
        with pytest.raises(InvalidRequest, match="blocks"):
            overfitting_probability(np.zeros((100, 5)), blocks)


def test_half_is_the_bound_however_many_were_tried() -> None:
    returns = np.zeros((8, 200))
    assert overfitting_probability(returns, 4) == 1.0  # all alike: the middle rank, 100.5 of 201
    returns[:, 7] = [-0.01, -0.02] * 4
    assert overfitting_probability(returns, 4) == 0.0  # one is worse: rank 101 of 201
    assert overfitting_probability(returns[:, 6:8], 2) == 0.0  # two tries and two blocks are enough


ROWS = [(12, -4, 3), (10, 2, 1), (-6, 8, 2), (-8, 6, 4), (9, -2, -1), (11, 1, 2), (-7, 5, 3), (-4, 7, 1)]


def test_worked_examples() -> None:
    assert overfitting_probability(np.array(ROWS) * 1e-3, 4) == 2 / 6
    returns = np.random.Generator(np.random.PCG64(7)).normal(0.0, 0.01, (960, 20))
    assert overfitting_probability(returns, 16) == pytest.approx(0.52486, abs=5e-6)
    returns[:, 4] += 0.0015
    assert overfitting_probability(returns, 16) == pytest.approx(0.10241, abs=5e-6)


def test_what_does_not_fill_a_block_is_left_out_at_the_old_end() -> None:
    returns = np.random.default_rng(3).normal(0.0, 0.01, (63, 5))
    assert overfitting_probability(returns, 4) == overfitting_probability(returns[3:], 4)
    assert overfitting_probability(returns, 4) == by_hand(returns[3:], 4)


def test_the_order_of_tries_changes_nothing_even_among_equals() -> None:
    random = np.random.default_rng(11)
    returns = random.normal(0.0, 0.01, (96, 9))
    returns[:, 7] = returns[:, 2]
    returns[:48, [1, 5, 8]] = 0.0  # without a spread in one half: 0 there, and equal
    found = {overfitting_probability(returns[:, random.permutation(9)], 8) for _ in range(6)}
    assert len(found) == 1


def test_a_half_that_never_moved_counts_as_zero_however_its_sums_round() -> None:
    """Its variance is a difference of equal sums, of which rounding leaves something: a ratio beyond all others."""
    returns = np.random.default_rng(2).normal(0.0, 0.01, (40, 3))
    returns[:20, 0] = 0.0
    returns[:20, 1:] += 0.02  # the flat one is the last of the first half, and the best of the second
    returns[20:, 0] += 0.02
    assert overfitting_probability(returns, 2) == 1.0
