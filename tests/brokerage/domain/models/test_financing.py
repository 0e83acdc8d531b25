"""Interest, borrow and funding: published examples, edges of tiers, signs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.models.financing import (
    FED_FUNDS,
    FED_FUNDS_KNOWN_UNTIL,
    FED_FUNDS_UPPER,
    FOMC,
    FUNDING_EVERY_NS,
    HOUR_NS,
    IBKR_LOANS,
    IBKR_PRO_USD,
    UNLIMITED,
    BorrowRate,
    InterestTier,
    borrow_cost,
    funding_instants,
    funding_payment,
    loan_interest,
    parse_borrow_row,
    shortable,
)
from brokerage.domain.models.profiles.ibkr import ibkr_equities
from brokerage.domain.money import rate
from qmtl.core.errors import NotFound
from qmtl.core.instants import from_ns, to_ns

USD = 10**8

# "Interest Rates Charged to You on Margin Loan Balances", interactivebrokers.com.sg: a benchmark of 2.18 %, spreads of
# 1.5, 1, 0.5 and 0.3 %, a loan of 600,000: 10.22 + 44.17 = 54.39 a day
EXAMPLE = tuple(
    InterestTier(above * USD, rate(spread))
    for above, spread in ((0, "0.015"), (100_000, "0.01"), (1_000_000, "0.005"), (3_000_000, "0.003"))
)


def cents(amount: int) -> Decimal:
    return (Decimal(amount) / USD).quantize(Decimal("0.01"))


def test_interest_on_a_loan_is_the_brokers_example() -> None:
    assert cents(loan_interest("USD", -100_000 * USD, EXAMPLE, rate("0.0218"))) == Decimal("-10.22")
    assert cents(loan_interest("USD", -600_000 * USD, EXAMPLE, rate("0.0218"))) == Decimal("-54.39")


# the same page: 80,000 of a GBP loan at 0.62 + 1.5 %, a year of 365 days: 4.64 (its 4.647 cut)
def test_a_pounds_year_has_365_days() -> None:
    found = loan_interest("GBP", -80_000 * USD, EXAMPLE[:1], rate("0.0062"))
    assert cents(found) == Decimal("-4.65")
    assert found == -464_657_534


@pytest.mark.parametrize(
    ("loan", "want"),
    [
        (0, 0),
        (360, "0.015"),  # at a benchmark of 0
        (100_000, "4.16666667"),
        (100_360, "4.17666667"),
        (1_000_000, "29.16666667"),
        (1_000_360, "29.17416667"),
        (50_000_360, "1050.005"),
    ],
)
def test_each_part_of_a_loan_bears_its_tiers_rate(loan: int, want: str) -> None:
    found = loan_interest("USD", -loan * USD, IBKR_PRO_USD, 0)
    assert Decimal(found) / USD == -Decimal(want).quantize(Decimal("0.00000001"))


def test_a_negative_benchmark_counts_as_none_and_a_credit_bears_nothing() -> None:
    assert loan_interest("USD", -360 * USD, IBKR_PRO_USD, rate("-0.01")) == loan_interest(
        "USD", -360 * USD, IBKR_PRO_USD, 0
    )
    assert loan_interest("USD", 10**6 * USD, IBKR_PRO_USD, rate("0.05")) == 0


# day counts of the money markets (ISDA 2006, section 4.16): Actual/365 for these, Actual/360 for all others
@pytest.mark.parametrize("currency", ["GBP", "AUD", "CAD", "HKD", "NZD", "SGD", "ZAR", "KRW", "INR"])
def test_a_year_of_interest_has_365_days_in_some_currencies(currency: str) -> None:
    assert loan_interest(currency, -365 * USD, EXAMPLE[:1], rate("0.085")) == -USD // 10


@pytest.mark.parametrize("currency", ["USD", "EUR", "CHF", "JPY", "SEK"])
def test_a_year_of_interest_has_360_days_elsewhere(currency: str) -> None:
    assert loan_interest(currency, -360 * USD, EXAMPLE[:1], rate("0.085")) == -USD // 10


def test_days_add_up() -> None:
    assert loan_interest("USD", -360 * USD, IBKR_PRO_USD, 0, days=3) == -4_500_000


def test_shorts_pay_the_fee_and_longs_get_the_rebate() -> None:
    """36,000 at 2 % and 1 % a year of 360 days: 2.00 and 1.00 a day."""
    rates = BorrowRate(fee=rate("0.02"), rebate=rate("0.01"))
    assert borrow_cost(-36_000 * USD, rates) == -2 * USD
    assert borrow_cost(36_000 * USD, rates) == 1 * USD
    assert borrow_cost(-36_000 * USD, rates, days=3) == -6 * USD
    assert borrow_cost(-36_000 * USD, UNLIMITED) == 0


@pytest.mark.parametrize(
    ("held", "wanted", "available", "want"),
    [(0, 100, None, 100), (0, 100, 40, 40), (30, 100, 40, 70), (30, 20, 0, 20), (-50, 100, 40, 0), (-30, 100, 40, 10)],
)
def test_a_short_sale_is_bounded_by_what_can_be_borrowed(
    held: int, wanted: int, available: int | None, want: int
) -> None:
    """What is short already was borrowed: a day's table says how much in all."""
    assert shortable(held, wanted, BorrowRate(available=available)) == want


def test_a_row_of_the_borrow_table() -> None:
    day, found = parse_borrow_row("2024-06-03,1500,0.25,1.75\n", 0)
    assert (day, found) == (date(2024, 6, 3), BorrowRate(rate("0.0175"), rate("0.0025"), 1500))
    assert parse_borrow_row("2024-06-03,,0,0", 0)[1] == UNLIMITED
    assert parse_borrow_row("2024-06-03,0,0,0", 0)[1].available == 0
    assert parse_borrow_row("2024-06-03,1.5,0,0", 2)[1].available == 150
    with pytest.raises(ValueError, match="values to unpack"):
        parse_borrow_row("2024-06-03,1500", 0)


# Binance, "Introduction to Binance Futures Funding Rates": amount = nominal value x rate; 100,000 at 0.01 % is 10
def test_a_positive_funding_rate_is_paid_by_longs_to_shorts() -> None:
    assert funding_payment(100_000 * USD, rate("0.0001")) == -10 * USD
    assert funding_payment(-100_000 * USD, rate("0.0001")) == 10 * USD
    assert funding_payment(100_000 * USD, rate("-0.0001")) == 10 * USD


@given(st.integers(-(10**15), 10**15), st.integers(-(10**6), 10**6))
def test_what_one_side_pays_the_other_gets(notional: int, share: int) -> None:
    assert funding_payment(notional, share) == -funding_payment(-notional, share)


def test_funding_is_at_0_8_and_16_utc() -> None:
    day = to_ns(datetime(2024, 6, 3, tzinfo=UTC))
    hours = [(at - day) // HOUR_NS for at in funding_instants(day - 1, day + 24 * HOUR_NS)]
    assert hours == [0, 8, 16, 24]
    assert list(funding_instants(day, day + 8 * HOUR_NS - 1)) == []
    assert list(funding_instants(day, day + 8 * HOUR_NS)) == [day + FUNDING_EVERY_NS]
    assert len(funding_instants(day, day + 24 * HOUR_NS, 4 * HOUR_NS)) == 6


def test_interest_beyond_the_benchmarks_table_is_told_or_refused() -> None:
    last, known = FED_FUNDS_KNOWN_UNTIL, IBKR_LOANS["USD"]
    assert known.assumed("USD", last - 1) == ""
    assert known.assumed("USD", last) == "the benchmark of USD loans is 3.75 % after 2026-06-18, where its table ends"
    strict = replace(known, refuses=True)
    for at_ns in (last - 1, last):
        assert known.of_day("USD", -360 * USD, at_ns) == -5_250_000  # 3.75 and 1.5 %
    assert strict.of_day("USD", -360 * USD, last - 1) == -5_250_000
    assert strict.of_day("USD", 0, last) == 0
    with pytest.raises(NotFound, match=r"E_PROFILE_TABLE_MISSING.*USD.*2026-06-18"):
        strict.of_day("USD", -1, last)
    assert ibkr_equities(known_rates_only=True).loans == {"USD": strict}
    assert replace(known, until_ns=None).assumed("USD", last) == ""


def test_each_benchmark_says_where_it_was_read() -> None:
    assert {row.source for row in FED_FUNDS_UPPER} == {FED_FUNDS, FOMC}
    assert [row.source for row in FED_FUNDS_UPPER] == sorted(
        (row.source for row in FED_FUNDS_UPPER), key=lambda source: source is FOMC
    )
    starts = [row.from_ns for row in FED_FUNDS_UPPER]
    assert starts == sorted(set(starts))
    assert starts[-1] < FED_FUNDS_KNOWN_UNTIL


FED = """2008-12-16 .25, 2015-12-17 .5, 2016-12-15 .75, 2017-03-16 1, 2017-06-15 1.25, 2017-12-14 1.5, 2018-03-22 1.75,
2018-06-14 2, 2018-09-27 2.25, 2018-12-20 2.5, 2019-08-01 2.25, 2019-09-19 2, 2019-10-31 1.75, 2020-03-04 1.25,
2020-03-16 .25, 2022-03-17 .5, 2022-05-05 1, 2022-06-16 1.75, 2022-07-28 2.5, 2022-09-22 3.25, 2022-11-03 4,
2022-12-15 4.5, 2023-02-02 4.75, 2023-03-23 5, 2023-05-04 5.25, 2023-07-27 5.5, 2024-09-19 5, 2024-11-08 4.75,
2024-12-19 4.5, 2025-09-18 4.25, 2025-10-30 4, 2025-12-11 3.75"""
"""The upper end of the target range by the Federal Reserve's list of its policy actions, written once more."""


def test_the_feds_target_range_is_from_its_days_on_what_its_history_says() -> None:
    listed = [one.split() for one in FED.replace("\n", " ").split(", ")]
    want = [(datetime.fromisoformat(f"{day}T00:00:00+00:00"), Decimal(percent)) for day, percent in listed]
    found = [(from_ns(row.from_ns), Decimal(row.value).scaleb(-6)) for row in FED_FUNDS_UPPER]
    assert found[: len(want)] == want
