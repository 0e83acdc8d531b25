"""Scaled integers: rounding."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.money import divide, floor_to


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**12))
def test_divide_rounds_half_to_even(numerator: int, denominator: int) -> None:
    assert divide(numerator, denominator) == round(Fraction(numerator, denominator))


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_floor_to_rounds_toward_zero(units: int, step: int) -> None:
    floored = floor_to(units, step)
    assert floored % step == 0
    assert 0 <= abs(units) - abs(floored) < step
    assert floored * units >= 0
