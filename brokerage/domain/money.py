"""Exact money and quantities as scaled int64: units of 10**-scale of a currency or of an instrument.

An amount that does not fit in int64 is refused, never wrapped and never turned into a float. Rounding
happens in one place, half to even, and only where a product of price and quantity leaves the currency's scale.
"""

from __future__ import annotations

from qmtl.core.decimals import INT64_MAX, format_decimal, from_scaled, parse_decimal, to_scaled
from qmtl.core.errors import InvalidRequest

RATE_SCALE = 8
"""Fee, slippage and weight rates are integers of 1e-8: 0.1 % is 100_000."""

RATE_ONE = 10**RATE_SCALE

LIMIT_SCALE = 8
"""House limits are set at this scale, before it is known which currency an order is valued in."""

_DEFAULT_CURRENCY_SCALE = 8
_CURRENCY_SCALES = {"IDR": 2, "VND": 2, "JPY": 4, "KRW": 4}
"""Currencies with large numbers get fewer places, so that int64 still holds an institution's book."""


def currency_scale(currency: str) -> int:
    """Decimal places kept for a currency: 8 unless its unit is small (92 billion units then fill int64)."""
    return _CURRENCY_SCALES.get(currency, _DEFAULT_CURRENCY_SCALE)


def fit(units: int, what: str) -> int:
    """Return `units` if it fits int64. Raises InvalidRequest (AMOUNT_OVERFLOW) otherwise."""
    if -INT64_MAX <= units <= INT64_MAX:
        return units
    raise InvalidRequest("E_AMOUNT_OVERFLOW", f"{what} is {units}, want at most {INT64_MAX} scaled units")


def divide(numerator: int, denominator: int) -> int:
    """Integer division rounded half to even; `denominator` is positive."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient & 1):
        return quotient + 1
    return quotient


def floor_to(units: int, step: int) -> int:
    """Round a magnitude toward zero to a multiple of `step`."""
    return units - units % step if units >= 0 else -((-units) - (-units) % step)


def rate(text: str, field: str = "rate") -> int:
    """A rate written as a plain decimal: rate("0.001") is 0.1 %. Raises InvalidRequest (E_DECIMAL) by the field."""
    return to_scaled(parse_decimal(text, field), RATE_SCALE)


def money_text(currency: str, amount: int) -> str:
    return format_decimal(from_scaled(amount, currency_scale(currency)))
