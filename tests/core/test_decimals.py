"""Decimal text and scaled integers: exact or refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.decimals import INT64_MAX, format_decimal, from_scaled, parse_decimal, to_scaled
from qmtl.core.errors import InvalidRequest

plain = st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**18), max_value=10**18)


@given(plain)
def test_text_round_trips(value: Decimal) -> None:
    text = format_decimal(value)
    assert parse_decimal(text, "x") == value
    assert format_decimal(parse_decimal(text, "x")) == text


@given(st.integers(-INT64_MAX, INT64_MAX), st.integers(0, 18))
def test_scaled_round_trips(units: int, scale: int) -> None:
    assert to_scaled(from_scaled(units, scale), scale) == units


@pytest.mark.parametrize(
    ("value", "text"),
    [("0.00", "0"), ("-0", "0"), ("1E+3", "1000"), ("1.500", "1.5"), ("-0.010", "-0.01"), ("100", "100")],
)
def test_one_canonical_form(value: str, text: str) -> None:
    assert format_decimal(Decimal(value)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "+1",
        ".5",
        "5.",
        "1e3",
        "NaN",
        "Infinity",
        "1_000",
        "0x1",
        "\u0661",
        "1,5",
        "1" * 39,
        "1." + "1" * 38,
        "--1",
        "1\n",
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_decimal(text, "order.quantity")
    assert caught.value.reason == "E_DECIMAL"
    assert caught.value.violations[0].field == "order.quantity"


def test_leading_zeros_do_not_use_up_digits() -> None:
    assert parse_decimal("0." + "1" * 38, "x") == Decimal("0." + "1" * 38)


@pytest.mark.parametrize(
    ("value", "scale"), [("0.001", 2), ("9223372036854775808", 0), ("92233720368.5", 9), ("NaN", 2), ("1E-400", 8)]
)
def test_what_does_not_fit_is_refused(value: str, scale: int) -> None:
    with pytest.raises(InvalidRequest):
        to_scaled(Decimal(value), scale)


@pytest.mark.parametrize("scale", [-1, 19])
def test_scale_has_limits(scale: int) -> None:
    with pytest.raises(InvalidRequest, match="scale"):
        from_scaled(1, scale)


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_what_is_not_finite_has_no_text(value: str) -> None:
    with pytest.raises(InvalidRequest, match="finite"):
        format_decimal(Decimal(value))
