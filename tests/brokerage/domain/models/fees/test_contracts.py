"""Fees per contract: futures by root symbol, options by premium and month; values of Lean's IB fee model."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.models.fees.contracts import option_commission, root_of
from brokerage.domain.models.fees.model import Execution
from brokerage.domain.models.fees.tables.ibkr import FUTURE_OPTIONS, FUTURES, OPTION_MINIMUM, OPTIONS
from brokerage.domain.money import rate
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side
from qmtl.core.decimals import from_scaled
from qmtl.core.errors import Conflict


def future(symbol: str, quote: str = "USD") -> Instrument:
    return instrument(symbol, base=symbol, quote=quote, tick="0.25", multiplier="50", asset_class=AssetClass.FUTURE)


def execution(symbol: str, quantity: int = 2, side: Side = Side.BUY) -> Execution:
    return Execution(future(symbol), side, quantity, 10**12, Liquidity.TAKER)


@pytest.mark.parametrize(
    ("symbol", "each"),
    [
        ("ES", "2.15"),
        ("ESZ6", "2.15"),
        ("ESH26", "2.15"),
        ("MES", "0.57"),
        ("MESM7", "0.57"),
        ("BTC", "11.02"),
        ("MBT", "4.77"),
        ("ETH", "7.02"),
        ("MET", "0.42"),
        ("E7", "1.37"),
        ("E7Z6", "1.37"),
        ("M6E", "0.41"),
        ("2YY", "0.57"),
        ("CL", "2.47"),  # not in the table: 0.85 + 1.60
    ],
)
def test_a_future_pays_commission_exchange_and_regulatory_fee(symbol: str, each: str) -> None:
    for side in Side:
        charged, currency = FUTURES.charge(execution(symbol, side=side))
        assert (from_scaled(charged, 8), currency) == (2 * Decimal(each), "USD")


@pytest.mark.parametrize(("symbol", "each"), [("ES", "1.42"), ("MES", "0.47"), ("MBT", "3.77"), ("MET", "0.32")])
def test_options_on_futures_have_rates_of_their_own(symbol: str, each: str) -> None:
    assert from_scaled(FUTURE_OPTIONS.charge(execution(symbol))[0], 8) == 2 * Decimal(each)


def test_fills_and_bounds_add_up_by_contract() -> None:
    one, three = FUTURES.charge(execution("ES", 1))[0], FUTURES.charge(execution("ES", 3))[0]
    assert three == 3 * one
    assert FUTURES.bound(future("ES"), 0, 3, 2) == three + 2
    assert FUTURES.rates == (0, 0)


def test_a_part_of_a_contract_pays_its_part() -> None:
    tenths = instrument("ES", base="ES", quote="USD", lot="0.1", asset_class=AssetClass.FUTURE)
    assert FUTURES.charge(Execution(tenths, Side.BUY, 25, 1, Liquidity.TAKER)) == (rate("5.375"), "USD")


def test_a_table_in_another_currency_charges_nothing_in_silence() -> None:
    with pytest.raises(Conflict, match="E_FEE_CURRENCY_UNKNOWN"):
        FUTURES.charge(Execution(future("ES", "EUR"), Side.BUY, 1, 1, Liquidity.TAKER))


@pytest.mark.parametrize(
    ("symbol", "root"),
    [
        ("ESZ6", "ES"),
        ("ESZ26", "ES"),
        ("ES", "ES"),
        ("M2K", "M2K"),
        ("M2KH7", "M2K"),
        ("2YYF7", "2YY"),
        ("ESA6", "ESA6"),
    ],
)
def test_a_contracts_root_is_what_stands_before_its_month(symbol: str, root: str) -> None:
    assert root_of(symbol) == root


@pytest.mark.parametrize(
    ("monthly", "premium", "contracts", "want"),
    [
        (0, "0.10", 10, "6.5"),
        (0, "0.0999", 10, "5"),
        (0, "0.05", 10, "5"),
        (0, "0.0499", 10, "2.5"),
        (10_000, "0.10", 10, "6.5"),
        (10_001, "0.10", 10, "5"),
        (10_001, "0.0499", 10, "2.5"),
        (50_000, "0.05", 10, "5"),
        (50_001, "0.10", 10, "2.5"),
        (100_000, "1", 10, "2.5"),
        (100_001, "1", 10, "1.5"),
        (0, "1", 1, "1"),  # the minimum
        (0, "1", 2, "1.3"),
        (0, "0.01", 4, "1"),  # the minimum to the cent
        (0, "0.01", 5, "1.25"),
        (10_001, "0.05", 10, "5"),
        (50_000, "0.0499", 10, "2.5"),
        (50_001, "0.0499", 10, "2.5"),
        # the examples of IBKR's page
        (0, "2", 1, "1"),
        (0, "5", 2, "1.3"),
        (0, "0.075", 3, "1.5"),
        (0, "0.03", 5, "1.25"),
        (10_001, "5", 2, "1"),
        (10_001, "0.075", 3, "1.5"),
        (10_001, "0.03", 5, "1.25"),
        (50_001, "2", 5, "1.25"),
        (100_001, "5", 5, "1"),
        (100_001, "2", 7, "1.05"),
    ],
)
def test_an_option_pays_by_premium_and_the_months_contracts(
    monthly: int, premium: str, contracts: int, want: str
) -> None:
    assert option_commission(OPTIONS, contracts, rate(premium), monthly, OPTION_MINIMUM) == rate(want)


@pytest.mark.parametrize(("monthly", "want"), [(0, "2.5"), (10_001, "2.5"), (50_001, "2.5"), (100_001, "1.5")])
def test_an_option_without_a_premium_pays_the_last_rate(monthly: int, want: str) -> None:
    assert option_commission(OPTIONS, 10, 0, monthly, OPTION_MINIMUM) == rate(want)


def test_a_bound_is_of_one_order_unless_more_are_named() -> None:
    fee, traded = FUTURES, future("ES")
    assert fee.bound(traded, 0, 2) == fee.bound(traded, 0, 2, orders=1) == fee.bound(traded, 0, 2, orders=3) - 2
