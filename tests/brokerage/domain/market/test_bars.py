"""No number of market data changes between the feed and the fill: prices keep every digit, volumes are cut down."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.market.bars import bar_from_doubles, bars_from_doubles, exact_units, volume_units
from brokerage.domain.market.instrument import PRICE_PLACES, instrument
from qmtl.core.decimals import INT64_MAX
from qmtl.core.errors import InvalidRequest

COARSE = instrument("DOGE-USD", base="DOGE", quote="USD", tick="0.01")
PRICES = st.floats(min_value=1e-7, max_value=1e12, allow_nan=False)


@given(st.lists(PRICES, min_size=1, max_size=20))
def test_a_price_is_the_shortest_decimal_of_its_double(values: list[float]) -> None:
    found = exact_units(COARSE, np.array(values))
    assert [COARSE.price_decimal(units) for units in found] == [Decimal(repr(value)) for value in values]


@given(st.lists(st.decimals(min_value=0, max_value=10**7, places=6), min_size=1, max_size=20))
def test_a_price_of_few_digits_is_taken_whole(values: list[Decimal]) -> None:
    found = exact_units(COARSE, np.array([float(value) for value in values]))
    assert found == [int(value.scaleb(PRICE_PLACES)) for value in values]


@given(st.tuples(PRICES, PRICES, PRICES, PRICES), st.floats(min_value=0, max_value=1e15))
def test_one_bar_and_a_column_of_bars_are_the_same(prices: tuple[float, float, float, float], volume: float) -> None:
    columns = tuple(np.array([value]) for value in (*prices, volume))
    [bar] = bars_from_doubles(COARSE, np.array([60]), 60, columns)  # type: ignore[arg-type]  # five columns
    assert bar == bar_from_doubles(COARSE, 60, 60, (*prices, volume))


def test_doge_and_shib_are_not_rounded_to_cents() -> None:
    bar = bar_from_doubles(COARSE, 0, 60, (0.0776, 0.078, 0.00001234, 0.07712345678901233, 1.0))
    shown = [str(COARSE.price_decimal(price)) for price in (bar.open, bar.high, bar.low, bar.close)]
    assert shown == ["0.0776", "0.078", "0.00001234", "0.07712345678901233"]


def test_a_price_with_more_places_than_its_instrument_keeps_is_refused() -> None:
    cents = instrument("X", base="X", quote="USD", price_places=2)
    with pytest.raises(InvalidRequest, match=r"E_PRICE_SCALE: price is 1.001, want at most 2 decimal places in X"):
        exact_units(cents, np.array([1.0, 1.001]))
    assert exact_units(cents, np.array([0.29, 1.1])) == [29, 110]


def test_a_price_that_is_none_of_anything_is_refused() -> None:
    assert exact_units(COARSE, np.array([1e15])) == [10 ** (15 + PRICE_PLACES)]
    with pytest.raises(InvalidRequest, match=r"E_AMOUNT_OVERFLOW: price is 1e\+28, want at most 1e\+15 in DOGE-USD"):
        exact_units(COARSE, np.array([1.0, 1e28]))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(InvalidRequest, match="E_AMOUNT_NOT_FINITE"):
        exact_units(COARSE, np.array([1.0, bad]))
    with pytest.raises(InvalidRequest, match="E_AMOUNT_NOT_FINITE"):
        volume_units(COARSE, np.array([bad]))


def test_volume_is_cut_down_to_the_quantity_scale_and_saturates() -> None:
    tenths = instrument("X", base="X", quote="USD", lot="0.1")
    assert volume_units(tenths, np.array([0.29, 0.99, 0.3, 1e300])) == [2, 9, 3, INT64_MAX]


def test_the_shown_price_has_the_places_of_the_tick_or_as_many_more_as_it_needs() -> None:
    assert str(COARSE.price_decimal(COARSE.price_units(Decimal(105)))) == "105.00"
    assert str(COARSE.price_decimal(COARSE.price_units(Decimal("105.1230")))) == "105.123"
    assert str(instrument("Y", base="Y", quote="JPY", tick="5").price_decimal(10 * 10**PRICE_PLACES)) == "10"


def test_a_volume_of_more_digits_than_a_double_is_sure_of_is_scaled_exactly() -> None:
    fine = instrument("X", base="X", quote="USD", lot="0.00000001")
    assert volume_units(fine, np.array([12345678.90625, 0.1234567890123456])) == [1234567890625000, 12345678]
    assert volume_units(fine, np.array([1234567890.5, 0.12345678901234566])) == [123456789050000000, 12345678]
