"""Money and quantities: decimal text in messages, Decimal or scaled int64 inside, float nowhere.

Nothing here rounds: a value that does not fit is refused, because a silent rounding of money is a loss
that no later check can see. Callers that want rounding say how, with Decimal.quantize, before.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation

from qmtl.core.errors import InvalidRequest, Violation

DIGITS_MAX = 38
SCALE_MAX = 18
INT64_MAX = 2**63 - 1

MONEY = Context(prec=DIGITS_MAX, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])
"""The arithmetic context of money: 38 digits, the width of SQL's NUMERIC(38)."""

_EXACT = Context(prec=2 * DIGITS_MAX, traps=[InvalidOperation, Inexact])
_PLAIN = re.compile(r"-?[0-9]{1,38}(\.[0-9]{1,38})?", re.ASCII)


def parse_decimal(text: str, field: str) -> Decimal:
    """Parse plain decimal text such as "-12.50": at most 38 digits, no exponent, no NaN, no blanks.

    Raises InvalidRequest (E_DECIMAL) naming the field.
    """
    if not _PLAIN.fullmatch(text):
        raise _refused(field, text, "a plain decimal such as 12.50")
    value = Decimal(text)
    if len(text.replace("-", "").replace(".", "").lstrip("0")) > DIGITS_MAX:
        raise _refused(field, text, f"at most {DIGITS_MAX} digits")
    return value


def format_decimal(value: Decimal) -> str:
    """Write the one canonical plain form: no exponent, no trailing zeros, "0" for every zero."""
    if not value.is_finite():
        raise _refused("value", str(value), "a finite number")
    if value == 0:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def to_scaled(value: Decimal, scale: int) -> int:
    """The integer `value * 10**scale`, exactly, within int64. Raises InvalidRequest (E_DECIMAL) otherwise."""
    _check_scale(scale)
    if not value.is_finite():
        raise _refused("value", str(value), "a finite number")
    try:
        shifted = value.scaleb(scale, _EXACT)
        whole = int(shifted.to_integral_exact(context=_EXACT))
    except (Inexact, InvalidOperation):
        raise _refused("value", str(value), f"at most {scale} decimal places") from None
    if abs(whole) > INT64_MAX:
        raise _refused("value", str(value), f"a magnitude of at most {INT64_MAX} at scale {scale}")
    return whole


def from_scaled(units: int, scale: int) -> Decimal:
    """The Decimal `units / 10**scale`, exactly."""
    _check_scale(scale)
    return Decimal(units).scaleb(-scale, _EXACT)


def _check_scale(scale: int) -> None:
    if not 0 <= scale <= SCALE_MAX:
        raise _refused("scale", str(scale), f"0 to {SCALE_MAX}")


def _refused(field: str, value: str, want: str) -> InvalidRequest:
    shown = value if len(value) <= 60 else value[:57] + "..."
    violation = Violation(field, repr(shown), want)
    return InvalidRequest("E_DECIMAL", str(violation), violations=(violation,))


def to_decimal(value: float) -> Decimal:
    """The shortest decimal that reads back as the same float64."""
    return Decimal(repr(float(value)))
