"""Currency commissions: a minimum an order against a share of its value, tiers of the month, both sides of USD."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.models.fees.model import Execution
from brokerage.domain.models.fees.tables.ibkr import FOREX
from brokerage.domain.money import rate
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side
from qmtl.core.decimals import from_scaled
from qmtl.core.errors import Conflict


def pair(base: str, quote: str) -> Instrument:
    return instrument(base + quote, base=base, quote=quote, tick="0.00001", asset_class=AssetClass.FOREX)


EURUSD, USDJPY, EURGBP = pair("EUR", "USD"), pair("USD", "JPY"), pair("EUR", "GBP")
BILLION = 10**9 * 10**8


def execution(what: Instrument, quantity: int, price: str, volume: int = 0) -> Execution:
    notional = what.notional(int(Decimal(price) * 100_000) * what.tick, quantity)
    return Execution(what, Side.BUY, quantity, notional, Liquidity.TAKER, volume=volume)


# max(2, 0.00002 x value): Lean, InteractiveBrokersFeeModel; 100,000 USD is where the two meet
@pytest.mark.parametrize(
    ("quantity", "want"), [(1, "2"), (99_999, "2"), (100_000, "2"), (100_001, "2.00002"), (1_000_000, "20")]
)
def test_an_order_pays_a_fifth_of_a_basis_point_and_two_dollars_at_least(quantity: int, want: str) -> None:
    charged, currency = FOREX.charge(execution(EURUSD, quantity, "1"))
    assert (from_scaled(charged, 8), currency) == (Decimal(want), "USD")


@pytest.mark.parametrize(
    ("month", "rate_bp", "minimum"),
    [
        (BILLION, "0.2", "2"),
        (BILLION + 1, "0.15", "1.5"),
        (2 * BILLION, "0.15", "1.5"),
        (2 * BILLION + 1, "0.1", "1.25"),
        (5 * BILLION, "0.1", "1.25"),
        (5 * BILLION + 1, "0.08", "1"),
    ],
)
def test_a_tier_ends_with_its_value(month: int, rate_bp: str, minimum: str) -> None:
    large = Decimal(rate_bp) / 10_000 * 10_000_000
    assert from_scaled(FOREX.charge(execution(EURUSD, 10_000_000, "1", month))[0], 8) == large
    assert from_scaled(FOREX.charge(execution(EURUSD, 100, "1", month))[0], 8) == Decimal(minimum)


def test_a_pair_whose_base_is_the_dollar_pays_the_same_in_its_quote_currency() -> None:
    charged, currency = FOREX.charge(execution(USDJPY, 10_000, "150"))
    assert (from_scaled(charged, 4), currency) == (Decimal(300), "JPY")  # 2 USD at 150
    assert from_scaled(FOREX.charge(execution(USDJPY, 1_000_000, "150"))[0], 4) == Decimal(3000)  # 20 USD


def test_a_pair_without_the_dollar_is_refused() -> None:
    with pytest.raises(Conflict, match="E_FEE_CURRENCY_UNKNOWN"):
        FOREX.charge(execution(EURGBP, 1, "1"))
    with pytest.raises(Conflict, match="E_FEE_CURRENCY_UNKNOWN"):
        FOREX.bound(EURGBP, 10**8, 1)


@given(st.lists(st.integers(1, 300_000), min_size=1, max_size=5), st.integers(1, 300_000))
def test_the_fills_of_an_order_pay_one_minimum(cuts: list[int], price: int) -> None:
    for what in (EURUSD, USDJPY):
        filled = notional = paid = 0
        for quantity in cuts:
            traded = what.notional(price * what.tick, quantity)
            charged, _ = FOREX.charge(Execution(what, Side.SELL, quantity, traded, Liquidity.TAKER, filled, notional))
            filled, notional, paid = filled + quantity, notional + traded, paid + charged
        whole, _ = FOREX.charge(Execution(what, Side.SELL, filled, notional, Liquidity.TAKER))
        assert paid == whole
        assert paid <= FOREX.bound(what, notional, filled)


def test_nothing_traded_holds_nothing() -> None:
    assert FOREX.bound(EURUSD, 0, 0) == 0
    assert FOREX.bound(EURUSD, 10**8, 1, 3) == 3 * (rate("2") + 1) + 2000
    assert FOREX.rates == (rate("0.000008"), rate("0.000008"))
