"""Products over divisors in 64 bits are those in integers without a width, or say that they are not known."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from brokerage.domain.backtest.compiled.exact import FAILED, half_even, quotient, signed_half_even, up
from brokerage.domain.money import divide

WHOLE = st.one_of(st.integers(0, 2**63 - 1), st.integers(0, 10**6), st.integers(0, 18).map(lambda n: 10**n))
DIVISORS = st.one_of(st.integers(1, 2**62), st.integers(1, 100), st.integers(0, 18).map(lambda n: 10**n))


def within_64_bits(value: int) -> bool:
    return -(2**63) <= value < 2**63


@given(a=WHOLE, b=WHOLE, divisor=DIVISORS)
@example(a=5, b=1, divisor=10)
@example(a=15, b=1, divisor=10)
@example(a=25, b=1, divisor=10)
@example(a=2**59, b=2**51 - 1, divisor=2**50 - 1)
@example(a=3, b=2**60, divisor=2**60 - 1)
def test_a_product_is_exact_or_not_known(a: int, b: int, divisor: int) -> None:
    whole, rest = quotient(a, b, divisor)
    if whole == FAILED:
        assert (a * b >= 2**109) or divisor >= 2**60 or a * b // divisor >= 2**60
        assert half_even(a, b, divisor) == up(a, b, divisor) == FAILED
        assert signed_half_even(-a - 1, b, divisor)[0] is (half_even(a + 1, b, divisor) >= 0)
        return
    assert (whole, rest) == divmod(a * b, divisor)
    assert half_even(a, b, divisor) == divide(a * b, divisor)
    assert up(a, b, divisor) == -(-a * b // divisor)
    for first, second in ((a, b), (-a, b), (a, -b), (-a, -b)):
        assert signed_half_even(first, second, divisor) == (True, divide(first * second, divisor))


@given(a=WHOLE, b=WHOLE, divisor=DIVISORS)
@example(a=2**55, b=2**54, divisor=2**59)
@example(a=2**63 - 1, b=2**46, divisor=2**59 + 1)
def test_the_rest_of_the_first_guess_is_within_64_bits(a: int, b: int, divisor: int) -> None:
    if quotient(a, b, divisor)[0] != FAILED:
        guess = int(float(a) * float(b) / float(divisor))
        assert within_64_bits(a * b - guess * divisor)
        assert within_64_bits(2 * divisor)
