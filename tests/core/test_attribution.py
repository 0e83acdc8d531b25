from __future__ import annotations

import random
from fractions import Fraction

import pytest

from qmtl.core.netting.attribution import attributed, split_fee


def fills_of(shares: list[int], fills: list[int]) -> list[list[int]]:
    booked, told, filled = [0] * len(shares), [], 0
    for fill in fills:
        filled += fill
        booked = attributed(shares, filled, booked)
        told.append(booked)
    return told


def test_worked_fill_with_a_crossing() -> None:
    """s1 +1, s2 -.4, s3 +.2 in steps of .001: net +.8, of which .3 is filled."""
    assert attributed([1_000, -400, 200], 300, [0, 0, 0]) == [375, -150, 75]
    assert split_fee(90_045_000, [1_000, -400, 200]) == [56_278_125, 22_511_250, 11_255_625]


def test_worked_steps() -> None:
    assert fills_of([333, 125, 42], [100, 7, 393]) == [[67, 25, 8], [71, 27, 9], [333, 125, 42]]
    assert fills_of([-333, -125, -42], [100, 7, 393])[1] == [-71, -27, -9]


def test_what_is_left_of_a_fee_goes_to_the_largest() -> None:
    assert split_fee(100, [1, -1, 1]) == [34, 33, 33]
    assert split_fee(10, [1, -3, 2]) == [1, 6, 3]


def test_random_books_are_exact_at_every_fill_and_at_the_end() -> None:
    rng = random.Random(7)
    for _ in range(100):
        check_book(rng)


def check_book(rng: random.Random) -> None:
    shares = [rng.choice((-1, 1)) * rng.randint(1, 10 ** rng.randint(1, 6)) for _ in range(rng.randint(1, 7))]
    whole = sum(shares)
    if not whole:
        return
    cuts = sorted({rng.randint(0, abs(whole)) for _ in range(6)} | {abs(whole)})
    booked = [0] * len(shares)
    for filled in cuts:
        after = attributed(shares, filled, booked)
        assert sum(after) == (filled if whole > 0 else -filled)
        for share, before, now in zip(shares, booked, after, strict=True):
            assert abs(before) <= abs(now) <= abs(share)
            assert now * share >= 0
            assert abs(abs(now) - Fraction(abs(share) * filled, abs(whole))) < len(shares) + 1
        booked = after
    assert booked == shares


def test_attribution_does_not_depend_on_how_a_step_is_reached_by_one_fill_at_a_time() -> None:
    """A step at a time is the rule itself: the largest deficit first, ties to the earlier."""
    shares, booked = [3, 3, 2], [0, 0, 0]
    order = []
    for filled in range(1, 9):
        after = attributed(shares, filled, booked)
        order.append(next(i for i in range(3) if after[i] != booked[i]))
        booked = after
    assert order == [0, 1, 2, 0, 1, 2, 0, 1]


@pytest.mark.parametrize(("shares", "filled"), [([1, -1], 0), ([2], 3), ([2], -1)])
def test_fills_that_no_order_has(shares: list[int], filled: int) -> None:
    with pytest.raises(ValueError, match="filled is"):
        attributed(shares, filled, [0] * len(shares))


def test_a_fill_is_never_taken_back() -> None:
    with pytest.raises(ValueError, match="are booked"):
        attributed([5], 2, [3])
