"""Splits and dividends: positions, open orders, cash; equity is what it was."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.accounts.position import Position, position_value
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.corporate import dividend, split, split_price, split_quantity
from brokerage.domain.orders.order import Side

STOCK = instrument("AAPL", base="AAPL", quote="USD")
CENT, USD = STOCK.tick, 10**8


# Apple's 4:1 split of 2020-08-31: 100 shares at 499.23 became 400
def test_a_split_multiplies_the_quantity_and_leaves_the_cost() -> None:
    found = split(Position(100, 40_000 * USD, 7, 5, 3), STOCK, Fraction(4), 12_481 * CENT)
    assert (found.position, found.cash) == (Position(400, 40_000 * USD, 7, 5, 3), 0)


@pytest.mark.parametrize(
    ("held", "quantity", "cash", "cost", "realised"),
    [
        (105, 10, 500, 1_000, 450),  # half a share at 1,000 that had cost 50
        (-105, -10, -500, -1_000, -450),  # a short pays
        (100, 10, 0, 1_000, 0),
        (7, 0, 700, 0, 630),
    ],
)
def test_a_reverse_split_pays_the_rest_in_cash(held: int, quantity: int, cash: int, cost: int, realised: int) -> None:
    before = Position(held, held * 10 * USD)
    found = split(before, STOCK, Fraction(1, 10), 1_000_00 * CENT)
    assert (found.position.quantity, found.cash) == (quantity, cash * USD)
    assert (found.position.cost, found.position.realised) == (cost * USD, realised * USD)


def test_a_flat_position_stays_flat() -> None:
    assert split(Position(realised=5), STOCK, Fraction(3, 2), 100).position == Position(realised=5)


@given(
    st.integers(-(10**6), 10**6),
    st.integers(-(10**12), 10**12),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(1, 10**6),
)
def test_equity_at_the_new_price_is_what_it_was(held: int, cost: int, up: int, down: int, price: int) -> None:
    before = Position(held, cost if held else 0)
    found = split(before, STOCK, Fraction(up, down), price * CENT)
    exact = Fraction(STOCK.notional(price * CENT, 1)) * held * Fraction(up, down)
    value = position_value(STOCK, found.position, price * CENT)
    assert abs(exact - value - found.cash) <= Fraction(1, 2)
    profit = value - found.position.cost + found.position.realised
    assert profit == value + found.cash - before.cost
    assert abs(found.position.quantity) == abs(held) * up // down
    assert found.position.cost * before.cost >= 0


@pytest.mark.parametrize(
    ("price", "ratio", "side", "want"),
    [
        (100_00, Fraction(4), Side.BUY, 25_00),
        (100_00, Fraction(3), Side.BUY, 33_33),  # less aggressive: down for a buy
        (100_00, Fraction(3), Side.SELL, 33_34),
        (100_00, Fraction(1, 10), Side.SELL, 1_000_00),
        (1, Fraction(4), Side.BUY, 1),
    ],
)
def test_open_orders_follow_a_split(price: int, ratio: Fraction, side: Side, want: int) -> None:
    assert split_price(price * CENT, STOCK, ratio, side) == want * CENT


def test_an_open_orders_quantity_is_cut_to_lots() -> None:
    lots = instrument("X", base="X", quote="USD", lot="10")
    assert split_quantity(105, STOCK, Fraction(1, 10)) == 10
    assert split_quantity(9, STOCK, Fraction(1, 10)) == 0
    assert split_quantity(7, STOCK, Fraction(3, 2)) == 10
    assert split_quantity(30, lots, Fraction(3, 2)) == 40


def test_a_dividend_is_paid_to_longs_and_by_shorts() -> None:
    assert dividend(STOCK, 100, 24 * CENT) == 24 * USD
    assert dividend(STOCK, -100, 24 * CENT) == -24 * USD
