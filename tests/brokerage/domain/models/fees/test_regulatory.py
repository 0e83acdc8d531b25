"""What US regulators take of shares: sales only, by the day's rate, with the cap of a trade."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.fees.composite import CompositeFee, Surcharge
from brokerage.domain.models.fees.model import Execution
from brokerage.domain.models.fees.percent import FeeCurrency, PercentFee
from brokerage.domain.models.fees.regulatory import ShareLevy
from brokerage.domain.models.fees.tables.ibkr import CLEARING, FIXED, REGULATORY, SECTION_31, TIERED
from brokerage.domain.money import rate
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side
from qmtl.core.decimals import from_scaled
from qmtl.core.errors import Conflict, NotFound
from qmtl.core.instants import to_ns

STOCK = instrument("MSFT", base="MSFT", quote="USD")
MILLION = 1_000_000 * 10**8


def sale(shares: int, price: int, day: tuple[int, int, int], side: Side = Side.SELL) -> Execution:
    at_ns = to_ns(datetime(*day, tzinfo=UTC))
    return Execution(STOCK, side, shares, STOCK.notional(price * STOCK.tick, shares), Liquidity.TAKER, at_ns=at_ns)


# SEC fee rate advisories: dollars a million sold, and the day each began
@pytest.mark.parametrize(
    ("day", "dollars"),
    [
        ((2018, 5, 22), "13"),
        ((2019, 4, 15), "13"),
        ((2019, 4, 16), "20.7"),
        ((2020, 2, 17), "20.7"),
        ((2020, 2, 18), "22.1"),
        ((2021, 2, 24), "22.1"),
        ((2021, 2, 25), "5.1"),
        ((2022, 5, 13), "5.1"),
        ((2022, 5, 14), "22.9"),
        ((2023, 2, 26), "22.9"),
        ((2023, 2, 27), "8"),
        ((2024, 5, 21), "8"),
        ((2024, 5, 22), "27.8"),
        ((2025, 5, 13), "27.8"),
        ((2025, 5, 14), "0"),
    ],
)
def test_a_sale_pays_the_secs_rate_of_its_day(day: tuple[int, int, int], dollars: str) -> None:
    assert SECTION_31.charge(sale(10_000, 100_00, day)) == (rate(dollars), "USD")
    assert SECTION_31.charge(sale(10_000, 100_00, day, Side.BUY)) == (0, "USD")


def test_before_its_table_a_sale_has_no_rate_and_a_purchase_needs_none() -> None:
    with pytest.raises(NotFound, match="E_PROFILE_TABLE_MISSING"):
        SECTION_31.charge(sale(1, 100_00, (2018, 5, 21)))
    assert SECTION_31.charge(sale(1, 100_00, (2018, 5, 21), Side.BUY)) == (0, "USD")


# interactivebrokers.co.uk: 0.000166 a share sold, at most 8.30 a trade; 50,000 shares are where the cap begins
@pytest.mark.parametrize(("shares", "want"), [(1, "0.000166"), (49_999, "8.299834"), (50_000, "8.3"), (60_000, "8.3")])
def test_the_activity_fee_has_a_cap_a_trade(shares: int, want: str) -> None:
    levy = ShareLevy(rate("0.000166"), cap=rate("8.30"), sales_only=True)
    assert from_scaled(levy.charge(sale(shares, 100, (2024, 6, 3)))[0], 8) == Decimal(want)
    assert levy.charge(sale(shares, 100, (2024, 6, 3), Side.BUY)) == (0, "USD")


def test_a_sale_and_a_purchase_with_all_regulators() -> None:
    sold, _ = REGULATORY.charge(sale(1_000, 100_00, (2024, 6, 3)))
    assert from_scaled(sold, 8) == Decimal("2.78") + Decimal("0.166") + Decimal("0.072")
    bought, _ = REGULATORY.charge(sale(1_000, 100_00, (2024, 6, 3), Side.BUY))
    assert from_scaled(bought, 8) == Decimal("0.072")


def test_clearing_is_of_both_sides_and_has_no_cap() -> None:
    for side in Side:
        assert CLEARING.charge(sale(30_000_000, 5_00, (2024, 6, 3), side)) == (rate("6000"), "USD")


# interactivebrokers.ca, comparison examples: NYSE pass-through of 200,000 shares' commission of 700 is 0.12
def test_a_surcharge_is_a_share_of_the_commission() -> None:
    nyse = Surcharge(TIERED, rate("0.000175"))
    assert nyse.charge(sale(200_000, 5_00, (2024, 6, 3))) == (rate("0.1225"), "USD")
    assert nyse.rates == (0, 0)
    assert nyse.bound(STOCK, MILLION, 200_000) >= rate("0.1225")


def test_parts_add_up_and_bounds_too() -> None:
    both = CompositeFee((FIXED, CLEARING))
    assert both.charge(sale(1_000, 25_00, (2024, 6, 3))) == (rate("5.2"), "USD")
    assert both.bound(STOCK, MILLION, 1_000) == FIXED.bound(STOCK, MILLION, 1_000) + CLEARING.bound(
        STOCK, MILLION, 1_000
    )
    assert CLEARING.bound(STOCK, MILLION, 1_000, 4) == rate("0.2") + 4
    assert SECTION_31.bound(STOCK, -MILLION, 1_000) == rate("27.8") + 1
    assert CompositeFee((PercentFee(1, 2), PercentFee(10, 20))).rates == (11, 22)


def test_parts_in_two_currencies_are_no_sum() -> None:
    base, quote = PercentFee(currency=FeeCurrency.BASE_ON_BUY), PercentFee()
    bought = sale(1_000, 100_00, (2024, 6, 3), Side.BUY)
    with pytest.raises(Conflict, match="E_FEE_CURRENCY_UNKNOWN"):
        CompositeFee((base, quote)).charge(bought)
    free = PercentFee(0, 0)
    assert CompositeFee((base, free)).charge(bought) == (1, "MSFT")


def test_fees_by_share_or_of_sales_promise_no_share_of_the_value() -> None:
    assert SECTION_31.rates == CLEARING.rates == REGULATORY.rates == (0, 0)
