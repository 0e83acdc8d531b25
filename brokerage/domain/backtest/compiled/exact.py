"""Products over divisors, exact in integers of 64 bits though the product itself may need 110.

Plain functions that numba can compile; compiled or not they answer the same. FAILED where the answer cannot be proved:
the caller then does it in integers without a width.
"""

from __future__ import annotations

FAILED = -1
"""No answer of these functions is negative."""

_PRODUCT_END = 2.0**110
_DIVISOR_END = 1 << 60
_QUOTIENT_END = 2.0**61


def quotient(a: int, b: int, divisor: int) -> tuple[int, int]:
    """a * b // divisor and the rest, of integers of 0 or more; (FAILED, 0) where it cannot be proved.

    Five roundings of doubles bring the first guess within 2**-50 of the quotient, so that its rest is within 2**60 plus
    the divisor: as 64 bits keep it, whatever the product does. The rest then says what the guess lacks.
    """
    product = float(a) * float(b)
    if product >= _PRODUCT_END or divisor >= _DIVISOR_END:
        return FAILED, 0
    near = product / float(divisor)
    if near >= _QUOTIENT_END:
        return FAILED, 0
    guess = int(near)
    rest = a * b - guess * divisor
    more = rest // divisor
    return guess + more, rest - more * divisor


def half_even(a: int, b: int, divisor: int) -> int:
    """`money.divide(a * b, divisor)` of integers of 0 or more; FAILED where it cannot be proved."""
    whole, rest = quotient(a, b, divisor)
    twice = 2 * rest
    if whole >= 0 and (twice > divisor or (twice == divisor and whole & 1)):
        return whole + 1
    return whole


def up(a: int, b: int, divisor: int) -> int:
    """-(-a * b // divisor) of integers of 0 or more; FAILED where it cannot be proved."""
    whole, rest = quotient(a, b, divisor)
    return whole + 1 if whole >= 0 and rest else whole


def signed_half_even(a: int, b: int, divisor: int) -> tuple[bool, int]:
    """`money.divide(a * b, divisor)` of signed integers, and whether it can be proved."""
    found = half_even(abs(a), abs(b), divisor)
    return found >= 0, found if (a < 0) == (b < 0) else -found
