"""Splits, dividends and conversions: positions, open orders, cash; equity is what it was."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.accounts.position import Position, position_value
from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.models.corporate import (
    Conversion,
    CorporateAction,
    Delisting,
    Dividend,
    PriceAdjustment,
    Split,
    beside_prices,
    convert,
    dividend,
    split,
    split_price,
    split_quantity,
)
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


FINE = instrument("NEW", base="NEW", quote="USD", lot="0.01", price_places=2)
WHOLE = instrument("NEW", base="NEW", quote="USD", lot="1", price_places=2)


@pytest.mark.parametrize(
    ("held", "terms", "quantity", "cost", "cash", "realised"),
    [
        (100, Conversion(WHOLE, Fraction(1), 0, 50_00), 100, 1_000, 0, 0),  # a change of symbol
        (100, Conversion(FINE, Fraction(1), 0, 50_00), 100_00, 1_000, 0, 0),  # into finer lots
        (-100, Conversion(WHOLE, Fraction(1, 2), 0, 50_00), -50, -1_000, 0, 0),
        # half a share for each, and 5 in cash: worth 25 and 5, so 5/6 of the cost goes with the shares
        (120, Conversion(WHOLE, Fraction(1, 2), 5 * 100 * CENT, 50_00), 60, 1_000, 600, 400),
        (-120, Conversion(WHOLE, Fraction(1, 2), 5 * 100 * CENT, 50_00), -60, -1_000, -600, -400),
        # 101 become 50 and a half, which is paid out at 50: of the cost of 1,010 10 goes with it
        (101, Conversion(WHOLE, Fraction(1, 2), 0, 50_00), 50, 1_000, 25, 15),
        (101, Conversion(FINE, Fraction(1, 2), 0, 50_00), 50_50, 1_010, 0, 0),
        (1, Conversion(WHOLE, Fraction(1, 2), 0, 50_00), 0, 0, 25, 15),  # nothing but cash
        (1, Conversion(WHOLE, Fraction(1), 0, 50_00), 1, 10, 0, 0),  # the smallest that there is
        (7, Conversion(None, Fraction(0), 30 * 100 * CENT), 0, 0, 210, 140),  # a purchase for cash, a delisting
        (-7, Conversion(None, Fraction(0), 0), 0, 0, 0, 70),  # worthless
    ],
)
def test_shares_become_others_and_cash(
    held: int, terms: Conversion, quantity: int, cost: int, cash: int, realised: int
) -> None:
    made = convert(Position(held, held * 10 * USD, 0, 5, 3), STOCK, terms)
    assert (made.quantity, made.cost, made.cash) == (quantity, cost * USD, cash * USD)
    assert made.position == Position(0, 0, realised * USD, 5, 3)


@given(
    st.integers(-(10**6), 10**6),
    st.integers(1, 10**12),
    st.fractions(0, 9, max_denominator=20),
    st.integers(0, 10**4),
    st.integers(1, 10**6),
    st.sampled_from([FINE, WHOLE]),
)
def test_a_conversion_keeps_what_is_owned_at_the_new_price(
    held: int, cost: int, ratio: Fraction, per_share: int, price: int, into: Instrument
) -> None:
    before = Position(held, cost if held > 0 else -cost if held else 0)
    made = convert(before, STOCK, Conversion(into, ratio, per_share * CENT, price))
    exact = held * ratio * into.notional(price, 10**into.quantity_scale) + STOCK.notional(per_share * CENT, held)
    value = into.notional(price, made.quantity)
    assert abs(exact - value - made.cash) <= Fraction(1, 2)
    assert made.position.realised == made.cash - before.cost + made.cost
    assert made.cost * before.cost >= 0
    assert abs(made.cost) <= abs(before.cost)
    assert 0 <= made.kept <= 1
    assert not made.position.quantity
    assert not made.position.cost


def test_shares_that_are_counted_finer_become_others_that_are_counted_coarser_and_back() -> None:
    """1.5 of lots of 0.01 at 2:1 are three of lots of 0.1; three of those at 1:2 are 1.5 again."""
    fine, coarse = (
        instrument(name, base=name, quote="USD", lot=lot, price_places=2)
        for name, lot in (("FINE", "0.01"), ("X", "0.1"))
    )
    made = convert(Position(150, 300 * 10**8), fine, Conversion(coarse, Fraction(2), 0, 100_00))
    assert (made.quantity, made.cost, made.cash) == (30, 300 * 10**8, 0)
    back = convert(Position(30, 300 * 10**8), coarse, Conversion(fine, Fraction(1, 2), 0, 200_00))
    assert (back.quantity, back.cost, back.cash) == (150, 300 * 10**8, 0)
    rest = convert(Position(155, 310 * 10**8), fine, Conversion(coarse, Fraction(2), 0, 100_00))
    assert (rest.quantity, rest.cash) == (31, 0)
    part = convert(Position(153, 306 * 10**8), fine, Conversion(coarse, Fraction(2), 0, 100_00))
    assert (part.quantity, part.cash) == (30, 6 * 10**8)  # 0.06 at 100


def test_a_contract_is_settled_for_its_profit_alone() -> None:
    """Two at 50 with 100 x 2 x 50 entered at 100 and settled at 104: 400, long; short mirrored."""
    future = instrument("F", base="F", quote="USD", price_places=2, multiplier="50", asset_class=AssetClass.FUTURE)
    for side in (1, -1):
        made = convert(Position(2 * side, 10_000 * 10**8 * side), future, Conversion(None, Fraction(0), 104_00))
        assert (made.cash, made.position.realised) == (400 * 10**8 * side, 400 * 10**8 * side)
        assert (made.position.quantity, made.position.cost, made.quantity) == (0, 0, 0)


def test_actions_beside_adjusted_prices_stay_in_order_and_dividends_are_those_of_the_last_shares() -> None:
    first, second = Dividend("AAPL", 1, Decimal("0.6")), Dividend("AAPL", 5, Decimal("0.5"))
    split_, ends = Split("AAPL", 3, Fraction(3)), Delisting("AAPL", 9)
    told: list[CorporateAction] = [ends, second, split_, first]
    assert beside_prices(told, PriceAdjustment.RAW, STOCK) == [first, split_, second, ends]
    adjusted: list[CorporateAction] = [Dividend("AAPL", 1, Decimal("0.2")), second, ends]
    assert beside_prices(told, PriceAdjustment.SPLIT, STOCK) == adjusted
    assert beside_prices(told, PriceAdjustment.TOTAL_RETURN, STOCK) == [ends]
