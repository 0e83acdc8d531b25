"""Per-share commissions: the examples on IBKR's pages, the edges of minimum, cap and tiers, and fills of one order."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.market.instrument import Instrument, instrument
from brokerage.domain.models.fees.model import Execution
from brokerage.domain.models.fees.shares import PerShareFee, ShareTier
from brokerage.domain.models.fees.tables.ibkr import FIXED, INDIA, LEAN_FIXED, TIERED, tiered_all_in
from brokerage.domain.money import rate
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side
from qmtl.core.decimals import from_scaled

STOCK = instrument("AAPL", base="AAPL", quote="USD", tick="0.0001")
FRACTIONS = instrument("AAPL", base="AAPL", quote="USD", tick="0.0001", lot="0.0001")


def fee(model: PerShareFee, shares: str, price: str, month: int = 0, what: Instrument = STOCK) -> Decimal:
    quantity = int(Decimal(shares).scaleb(what.quantity_scale))
    notional = what.notional(int(Decimal(price).scaleb(what.price_scale)), quantity)
    return from_scaled(model.of_order(what, quantity, notional, month * 10**what.quantity_scale), 8)


# "Commissions Stocks", interactivebrokers.co.uk: the examples of the fixed plan
@pytest.mark.parametrize(
    ("shares", "price", "want"), [("100", "25", "1.00"), ("1000", "25", "5.00"), ("1000", "0.25", "2.50")]
)
def test_the_fixed_plan_charges_what_its_page_says(shares: str, price: str, want: str) -> None:
    assert fee(FIXED, shares, price) == Decimal(want)


@pytest.mark.parametrize(
    ("shares", "price", "want"),
    [
        ("200", "25", "1"),  # 0.005 x 200 is the minimum to the cent
        ("201", "25", "1.005"),
        ("199", "25", "1"),
        ("200", "0.5", "1"),  # minimum, rate and cap are all 1.00
        ("200", "0.4999", "0.9998"),  # the cap wins over the minimum
        ("10", "0.2", "0.02"),
        ("0", "25", "0"),
    ],
)
def test_the_cap_wins_over_the_minimum(shares: str, price: str, want: str) -> None:
    assert fee(FIXED, shares, price) == Decimal(want)


@pytest.mark.parametrize(
    ("shares", "price", "want"),
    [("10", "0.2", "1"), ("1000", "0.25", "1.25"), ("1000", "0.2", "1"), ("1000", "0.1999", "1"), ("1000", "25", "5")],
)
def test_in_parity_with_lean_the_minimum_wins_and_the_cap_is_half_a_percent(shares: str, price: str, want: str) -> None:
    assert fee(LEAN_FIXED, shares, price) == Decimal(want)


def test_less_than_a_share_pays_a_cent_at_least() -> None:
    assert fee(FIXED, "0.5", "25", what=FRACTIONS) == Decimal("0.01")
    assert fee(FIXED, "0.5", "0.5", what=FRACTIONS) == Decimal("0.0025")
    assert fee(FIXED, "0.9999", "200", what=FRACTIONS) == Decimal("0.01")
    assert fee(FIXED, "1", "200", what=FRACTIONS) == Decimal("1")


# "Stock and ETF Fixed vs. Tiered Pricing Comparison Examples", interactivebrokers.ca
def test_tiers_are_marginal_in_the_shares_of_the_month() -> None:
    assert fee(TIERED, "30000000", "5") == 1_050 + 5_400 + 25_500 + 10_000
    assert fee(TIERED, "200000", "5") == 700
    parts = [("300000", 0), ("2700000", 300_000), ("17000000", 3_000_000), ("10000000", 20_000_000)]
    assert [fee(TIERED, shares, "5", month) for shares, month in parts] == [1_050, 5_400, 25_500, 10_000]
    assert fee(TIERED, "1000000", "5", 100_000_000) == 500


def test_only_tiers_need_the_shares_of_the_month() -> None:
    assert FIXED.counts is None
    assert TIERED.counts is not None
    assert TIERED.counts.shares


@pytest.mark.parametrize(
    ("month", "want"), [(299_000, "3.5"), (299_500, "2.75"), (300_000, "2"), (2_999_500, "1.75"), (99_999_500, "0.75")]
)
def test_an_order_over_a_tiers_edge_pays_both_rates(month: int, want: str) -> None:
    assert fee(TIERED, "1000", "25", month) == Decimal(want)


def test_the_tiered_plan_has_its_own_minimum_and_clearing_beside_it() -> None:
    assert fee(TIERED, "100", "25") == Decimal("0.35")
    assert fee(TIERED, "101", "25") == Decimal("0.3535")
    charged, currency = tiered_all_in().charge(Execution(STOCK, Side.BUY, 200_000, 1_000_000 * 10**8, Liquidity.TAKER))
    assert (from_scaled(charged, 8), currency) == (700 + 40 + Decimal("0.1225") + Decimal("0.3941"), "USD")


def test_a_cap_of_many_times_the_value_never_binds() -> None:
    assert [fee(INDIA, shares, "10") for shares in ("100", "1000")] == [6, 10]


CUTS = st.lists(st.integers(1, 400_000), min_size=1, max_size=6)


@given(CUTS, st.integers(1, 100_000), st.integers(0, 4_000_000), st.sampled_from([FIXED, LEAN_FIXED, TIERED]))
def test_the_fills_of_an_order_pay_what_the_order_pays(
    cuts: list[int], price: int, month: int, model: PerShareFee
) -> None:
    filled = notional = paid = 0
    for quantity in cuts:
        traded = STOCK.notional(price * STOCK.tick, quantity)
        execution = Execution(STOCK, Side.BUY, quantity, traded, Liquidity.TAKER, filled, notional, month)
        charged, currency = model.charge(execution)
        assert charged >= 0
        assert currency == "USD"
        filled, notional, paid = filled + quantity, notional + traded, paid + charged
    assert paid == model.of_order(STOCK, filled, notional, month)
    assert paid <= model.bound(STOCK, notional, filled)


@given(st.lists(st.tuples(st.integers(1, 10_000), st.integers(1, 10**6)), min_size=1, max_size=6))
def test_open_orders_hold_at_least_their_fees(orders: list[tuple[int, int]]) -> None:
    for model in (FIXED, LEAN_FIXED, TIERED):
        notionals = [STOCK.notional(price * STOCK.tick, quantity) for quantity, price in orders]
        charged = sum(
            model.of_order(STOCK, quantity, notional) for (quantity, _), notional in zip(orders, notionals, strict=True)
        )
        assert charged <= model.bound(STOCK, sum(notionals), sum(quantity for quantity, _ in orders), len(orders))


def test_a_bound_is_the_minimum_of_every_order_and_no_more_than_the_cap() -> None:
    assert FIXED.bound(STOCK, 10**6 * 10**8, 300, 3) == 3 * (rate("1") + 1) + rate("1.5")
    assert FIXED.bound(STOCK, 10 * 10**8, 300, 3) == rate("0.1") + 3
    assert LEAN_FIXED.bound(STOCK, 10 * 10**8, 300, 3) == 3 * (rate("1") + 1) + rate("1.5")


def test_without_minimum_and_cap_only_the_shares_count() -> None:
    plain = PerShareFee((ShareTier(0, rate("0.005")),))
    assert [fee(plain, shares, "0.01") for shares in ("1", "1000")] == [Decimal("0.005"), Decimal(5)]
    assert fee(plain, "0.5", "0.01", what=FRACTIONS) == Decimal("0.0025")
    assert plain.rates == (0, 0)
    assert plain.bound(STOCK, 0, 1000, 2) == rate("5") + 2


def test_tiers_are_of_whole_shares_whatever_the_scale() -> None:
    assert fee(TIERED, "1000.5", "25", 299_500, what=FRACTIONS) == Decimal("1.75") + Decimal("1.001")


def test_where_the_minimum_wins_no_value_is_too_small_for_it() -> None:
    assert fee(INDIA, "1", "0.1") == 6
