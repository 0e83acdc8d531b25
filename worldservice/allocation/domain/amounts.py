"""Exact numbers of allocations: fractions inside, decimal text outside, rounded once and where it is said."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, Inexact
from fractions import Fraction
from functools import lru_cache

from qmtl.core.decimals import format_decimal, parse_decimal

MONEY_PLACES = 8
TEXTS_MAX = 8_192
_WIDE = Context(prec=120)
_EXACT = Context(prec=120, traps=[Inexact])


def fraction_of(text: str, field: str) -> Fraction:
    """The value of plain decimal text. Raises InvalidRequest (E_DECIMAL)."""
    return Fraction(parse_decimal(text, field))


def decimal_of(value: Fraction) -> Decimal:
    """A fraction in 120 digits, half to even: exact for every whole number of steps that a venue has."""
    return _WIDE.divide(Decimal(value.numerator), Decimal(value.denominator))


def text_of(value: Fraction, places: int = MONEY_PLACES) -> str:
    """Plain decimal text with at most `places` decimal places, half to even."""
    return _rounded_text(value.numerator, value.denominator, places)


def exact_text(value: Fraction) -> str:
    """Plain decimal text of a number that has one, such as a quantity of whole lots. Raises ValueError otherwise."""
    return _exact_text(value.numerator, value.denominator)


@lru_cache(TEXTS_MAX)
def _rounded_text(numerator: int, denominator: int, places: int) -> str:
    """Kept, as are exact texts: the legs of a plan share marks, lots and scales."""
    value = _WIDE.divide(Decimal(numerator), Decimal(denominator))
    return format_decimal(value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, _WIDE))


@lru_cache(TEXTS_MAX)
def _exact_text(numerator: int, denominator: int) -> str:
    try:
        return format_decimal(_EXACT.divide(Decimal(numerator), Decimal(denominator)))
    except Inexact:
        raise ValueError(f"{numerator}/{denominator} has no exact decimal form") from None


def total(values: Iterable[Fraction]) -> Fraction:
    """The exact sum, whose terms meet as whole numbers over each denominator: thousands have a few."""
    return _summed((value.numerator, value.denominator) for value in values)


def total_size(values: Iterable[Fraction]) -> Fraction:
    """The exact sum of the values without their signs."""
    return _summed((abs(value.numerator), value.denominator) for value in values)


def _summed(values: Iterable[tuple[int, int]]) -> Fraction:
    by_denominator: dict[int, int] = {}
    for top, at in values:
        by_denominator[at] = by_denominator.get(at, 0) + top
    return sum((Fraction(top, at) for at, top in by_denominator.items()), Fraction(0))


def steps_toward_zero(value: Fraction, step: Fraction) -> int:
    """Whole steps in a signed value, cut toward zero: .29 in steps of .01 is 29, where floats say 28."""
    steps = abs(value.numerator) * step.denominator // (value.denominator * step.numerator)
    return -steps if value < 0 else steps


def cut(value: Fraction, places: int) -> Fraction:
    """A number that is not negative, cut to decimal places."""
    return Fraction(decimal_of(value).quantize(Decimal(1).scaleb(-places), ROUND_DOWN, _WIDE))
