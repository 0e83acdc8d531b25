"""Sizing to a fraction of the equity: values worked by hand, and what holds for every target."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.buying_power.target import BUFFER, Holding, order_for_target
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.fees.tables.ibkr import FIXED
from brokerage.domain.money import RATE_ONE, rate

STOCK = instrument("AAPL", base="AAPL", quote="USD")
USD = 10**8
FREE = PercentFee(0, 0)


def holding(held: int = 0, equity: int = 100_000, price: int = 100) -> Holding:
    return Holding(STOCK, price * 100 * STOCK.tick, held, equity * USD)


@pytest.mark.parametrize(
    ("fraction", "held", "want"),
    [
        ("1", 0, 997),  # 100,000 less 0.25 % buys 997 at 100
        ("0.5", 0, 498),  # 498.75, toward less exposure
        ("-0.5", 0, -498),
        ("2", 0, 1995),
        ("1", 500, 497),
        ("-1", 500, -1497),
        ("0", 500, -500),
        ("0", -7, 7),
        ("0.0009", 0, 0),  # less than 0.1 % of the equity is no order
        ("0.0101", 0, 10),
        ("0.5", 498, 0),
        ("0.5", 500, -2),  # 125 above the target is more than 0.1 %
    ],
)
def test_targets_without_fees(fraction: str, held: int, want: int) -> None:
    assert order_for_target(holding(held), rate(fraction), FREE) == want


def test_the_smallest_change_is_a_thousandth_of_the_equity() -> None:
    small = holding(price=1)  # 0.0011 x 99,750 = 109.7
    assert order_for_target(small, rate("0.00100251"), FREE) == 100
    assert order_for_target(small, rate("0.001002"), FREE) == 0


def test_the_fee_is_asked_again_until_it_fits() -> None:
    """997 at 100 with 0.3 %: 99,750 - 299 pays 994, whose fee of 298.2 leaves 99,451."""
    assert order_for_target(holding(), RATE_ONE, PercentFee(rate("0.003"), rate("0.003"))) == 994
    assert order_for_target(holding(), RATE_ONE, FIXED) == 997


def test_without_equity_or_price_nothing_is_ordered() -> None:
    assert order_for_target(holding(equity=0), RATE_ONE, FREE) == 0
    assert order_for_target(holding(5, equity=-1), RATE_ONE, FREE) == 0
    assert order_for_target(holding(5, equity=-1), 0, FREE) == -5
    assert order_for_target(holding(price=0), RATE_ONE, FREE) == 0
    assert order_for_target(holding(5, price=0), RATE_ONE, FREE) == 0
    assert order_for_target(holding(5, equity=0), RATE_ONE, FREE) == 0


def test_fees_above_all_that_is_free_leave_nothing_to_hold() -> None:
    dear = PercentFee(rate("5"), rate("5"))
    found = order_for_target(holding(), RATE_ONE, dear)
    assert 0 <= found * 100 * (1 + 5) <= 99_750
    assert order_for_target(holding(equity=1, price=1), RATE_ONE, FIXED) == 0


@given(
    st.integers(-4 * RATE_ONE, 4 * RATE_ONE),
    st.integers(-2_000, 2_000),
    st.integers(1, 1_000_000),
    st.integers(1, 1_000),
    st.sampled_from(["0", "0.001", "0.02"]),
)
def test_a_target_is_within_what_is_free_after_its_fee_and_a_lot_more_is_not(
    fraction: int, held: int, equity: int, price: int, share: str
) -> None:
    fee = PercentFee(rate(share), rate(share))
    order = order_for_target(holding(held, equity, price), fraction, fee)
    after = held + order
    if not fraction:
        assert after == 0
        return
    if not order:
        return
    assert after * fraction >= 0
    free = equity * USD - equity * USD * BUFFER // RATE_ONE

    def fits(quantity: int) -> bool:
        notional = abs(STOCK.notional(price * 100 * STOCK.tick, quantity))
        traded = abs(STOCK.notional(price * 100 * STOCK.tick, quantity - held))
        allowed: int = abs(fraction) * (free - fee.bound(STOCK, traded, abs(quantity - held))) // RATE_ONE
        return notional <= allowed

    assert after == 0 or fits(after)
    if share == "0":
        assert not fits(after + (1 if fraction > 0 else -1))


def test_a_change_of_exactly_a_thousandth_is_an_order() -> None:
    assert order_for_target(holding(price=1), rate("0.001"), FREE, buffer=0) == 100
    assert order_for_target(holding(price=1), rate("0.00099999"), FREE, buffer=0) == 0


def test_the_least_fraction_is_of_its_own_side() -> None:
    for fraction in (1, -1):  # a hundred-millionth of 10^10 is 100: a hundred at 1
        assert order_for_target(holding(10**9, 10**10, 1), fraction, FREE, buffer=0) == 100 * fraction - 10**9
