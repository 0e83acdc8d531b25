"""Values of positions by columns are those of one instrument at a time, to the unit."""

from __future__ import annotations

import numpy as np
import pytest

from brokerage.domain.backtest.valuation import notionals, total
from brokerage.domain.market.bars import Units
from brokerage.domain.market.instrument import instrument
from qmtl.core.errors import InvalidRequest


@pytest.mark.parametrize("multiplier", ["1", "0.5", "0.25", "50"])
@pytest.mark.parametrize(("price_places", "quantity_places"), [(2, 0), (6, 2), (6, 4), (9, 4)])
def test_a_column_of_values_is_rounded_as_each_value_is(
    multiplier: str, price_places: int, quantity_places: int
) -> None:
    places = {"price_places": price_places, "quantity_places": quantity_places}
    traded = instrument("X", base="X", quote="USD", multiplier=multiplier, **places)  # type: ignore[arg-type]  # ints
    prices = [1, 3, 5, 7, 15, 25, 35, 50, 150, 250, 10**4 + 5, 10**6 + 50]
    quantities = [1, -1, 3, -3, 5, -5, 7, -7, 50, -50, 10**3, -(10**3)]
    found = notionals(traded, Units(np.array(prices)), np.array(quantities))
    assert found.tolist() == [traded.notional(one, size) for one, size in zip(prices, quantities, strict=True)]


def test_a_product_that_64_bits_would_wrap_is_exact() -> None:
    traded = instrument("X", base="X", quote="USD", multiplier="7", price_places=9, quantity_places=4)
    price, quantity = 2 * 10**9, 10**9  # times 7, of which 10**5 are a unit
    found = notionals(traded, Units(np.array([price])), np.array([quantity]))
    assert found.tolist() == [traded.notional(price, quantity)] == [14 * 10**13]


def test_no_column_is_worth_nothing_and_too_much_is_refused() -> None:
    assert total([np.array([1, 2]), np.array([3, -9])], "equity").tolist() == [4, -7]
    assert (
        notionals(instrument("X", base="X", quote="USD"), Units(np.zeros(0, np.int64)), np.zeros(0, np.int64)).size == 0
    )
    cents = instrument("X", base="X", quote="USD", price_places=2)
    with pytest.raises(InvalidRequest, match="E_AMOUNT_OVERFLOW: notional"):  # 10**19 units, which 64 bits would wrap
        notionals(cents, Units(np.array([10**5])), np.array([10**8]))
    with pytest.raises(InvalidRequest, match="E_AMOUNT_OVERFLOW: equity"):
        total([np.array([2**62]), np.array([2**62])], "equity")
