"""Margin tiers: what Binance publishes for a notional, at the tiers' edges, and the notional of a liquidation."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.market.margin_tiers import NO_TIERS, MarginTier, MarginTiers, margin_tiers
from brokerage.domain.money import RATE_ONE, rate
from qmtl.core.errors import InvalidRequest

USD = 10**8
# Binance's BTCUSDT tiers of 2023, whose published amounts are 0, 50, 950 and 11,450 USDT
ROWS = [
    ("50000", 125, "0.004", ""),
    ("600000", 100, "0.005", "50"),
    ("3000000", 75, "0.0065", ""),
    ("12000000", 50, "0.01", "11450"),
]
BTCUSDT = margin_tiers("USDT", ROWS)


def test_amounts_that_are_not_written_are_those_that_are_published() -> None:
    assert [tier.amount for tier in BTCUSDT.tiers] == [0, 50 * USD, 950 * USD, 11_450 * USD]
    assert BTCUSDT.notional_max == 12_000_000 * USD
    assert BTCUSDT
    assert not NO_TIERS


@pytest.mark.parametrize(
    ("notional", "share", "amount", "leverage"),
    [
        (0, "0.004", 0, 125),
        (50_000, "0.004", 0, 125),
        (50_001, "0.005", 50, 100),
        (600_000, "0.005", 50, 100),
        (600_001, "0.0065", 950, 75),
        (3_000_000, "0.0065", 950, 75),
        (3_000_001, "0.01", 11_450, 50),
        (20_000_000, "0.01", 11_450, 50),
    ],
)
def test_maintenance_is_notional_times_rate_less_the_tiers_amount(
    notional: int, share: str, amount: int, leverage: int
) -> None:
    for sign in (1, -1):
        assert BTCUSDT.to_hold(sign * notional * USD) == notional * rate(share) - amount * USD
    assert BTCUSDT.tier_of(notional * USD).leverage_max == leverage


def test_what_is_kept_is_rounded_up_to_a_whole_unit() -> None:
    assert [BTCUSDT.to_hold(value) for value in (1, 250, 251)] == [1, 1, 2]


def test_opening_takes_no_more_leverage_than_the_tier_has() -> None:
    assert BTCUSDT.to_open(40_000 * USD, 20) == 2_000 * USD
    assert BTCUSDT.to_open(-40_000 * USD, 125) == 320 * USD
    assert BTCUSDT.to_open(60_000 * USD, 125) == 600 * USD
    assert BTCUSDT.to_open(7, 2) == 4


def test_what_others_hold_counts_for_the_tier_and_takes_nothing() -> None:
    assert BTCUSDT.to_open(40_000 * USD, 125, 10_000 * USD) == 320 * USD
    assert BTCUSDT.to_open(40_000 * USD, 125, 10_000 * USD + 1) == 400 * USD


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_a_larger_position_never_keeps_less(one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert BTCUSDT.to_hold(small) <= BTCUSDT.to_hold(large) <= large


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({1: ("50000", 100, "0.005", "")}, "tier 2: notional cap"),
        ({0: ("0", 125, "0.004", "")}, "tier 1: notional cap"),
        ({1: ("600000", 126, "0.005", "")}, "tier 2: leverage"),
        ({3: ("12000000", 0, "0.01", "")}, "tier 4: leverage"),
        ({0: ("50000", 125, "0", "")}, "tier 1: maintenance rate"),
        ({3: ("12000000", 50, "1", "")}, "tier 4: maintenance rate"),
        ({1: ("600000", 100, "0.0039", "")}, "tier 2: maintenance rate"),
        ({1: ("600000", 100, "0.005", "52")}, "tier 2: maintenance amount 52, want 50 within 1 USDT"),
        ({1: ("600000", 100, "0.005", "48")}, "tier 2: maintenance amount 48, want 50 within 1 USDT"),
    ],
)
def test_tiers_that_cannot_be_are_refused_by_their_number(
    change: dict[int, tuple[str, int, str, str]], said: str
) -> None:
    rows = [change.get(number, (*row[:3], "")) for number, row in enumerate(ROWS)]
    with pytest.raises(InvalidRequest, match=f"E_INSTRUMENT_INVALID: margin {said}"):
        margin_tiers("USDT", rows)


def test_an_amount_that_an_exchange_has_rounded_is_taken_as_it_is() -> None:
    rows = [ROWS[0], ("600000", 100, "0.005", "51")]
    assert margin_tiers("USDT", rows).tiers[1].amount == 51 * USD
    with pytest.raises(InvalidRequest, match="margin tier 2: maintenance amount, want"):
        MarginTiers((BTCUSDT.tiers[0], MarginTier(600_000 * USD, 100, rate("0.005"), 250 * USD + 1)))


# Binance, "How to Calculate Liquidation Price of USDS-M Futures Contracts" (FAQ b3c689c1f50a44cabb3a84e663b81d93): an
# isolated wallet of 1,535,443.01 USDT, long 3,683.979 ETH at 1,456.84, maintenance rate 10 %, amount 135,365: 1,114.78
ETH_COST = Fraction("3683.979") * Fraction("1456.84") * USD
ETHUSDT = margin_tiers(
    "USDT",
    [
        ("10000", 100, "0.005", "0"),
        ("100000", 75, "0.0065", "15"),
        ("500000", 50, "0.01", "365"),
        ("1000000", 25, "0.02", "5365"),
        ("2000000", 10, "0.05", "35365"),
        ("5000000", 5, "0.1", "135365"),
    ],
)


def test_the_liquidation_of_an_isolated_position_is_the_published_one() -> None:
    found = ETHUSDT.liquidated_at(int(Fraction("1535443.01") * USD), 1, int(ETH_COST))
    assert found is not None
    assert round(found / USD / Fraction("3683.979"), 2) == Fraction("1114.78")


@pytest.mark.parametrize(
    ("rest", "side", "cost", "notional"),
    [
        (100, 1, 1_000, Fraction(900_000, 996)),  # (1,000 - 100) / (1 - 0.4 %)
        (100, -1, -1_000, Fraction(1_100_000, 1_004)),  # (1,000 + 100) / (1 + 0.4 %)
        (50_200, 1, 100_000, 50_000),  # 200 are kept of 50,000, in the first tier
        (50_200, -1, 0, 50_000),
        (49_950, 1, 100_000, Fraction(50_000_000, 995)),  # (50,050 - 50) / (1 - 0.5 %), in the second
        (50_250, -1, 0, Fraction(50_300_000, 1_005)),  # (50,250 + 50) / (1 + 0.5 %)
        (1_000, 1, 1_000, None),  # all of it is paid for
        (1_001, 1, 1_000, None),
        (-1_000, -1, -1_000, None),
        (12_108_550, -1, 0, 12_000_000),  # at the last cap, and beyond it by the last tier
        (24_108_550, -1, -101_000_000, Fraction(125_120_000, 101) * 100),
        (0, 1, 100_000_000, Fraction(100_000_000 - 11_450, 99) * 100),
    ],
)
def test_a_liquidation_is_in_the_tier_that_its_own_notional_is_in(
    rest: int, side: int, cost: int, notional: Fraction | int | None
) -> None:
    found = BTCUSDT.liquidated_at(rest * USD, side, cost * USD)
    assert found == (None if notional is None else Fraction(notional) * USD)


@given(st.sampled_from([1, -1]), st.integers(1, 10**15), st.integers(-(10**14), 10**15))
def test_equity_is_what_is_kept_exactly_there(side: int, size: int, rest: int) -> None:
    found = BTCUSDT.liquidated_at(rest, side, side * size)
    if found is None:
        assert side * rest >= size if side > 0 else rest + size <= 0
        return
    tier = next((one for one in BTCUSDT.tiers if found <= one.notional_cap), BTCUSDT.tiers[-1])
    assert rest + side * found - side * size == found * tier.rate / RATE_ONE - tier.amount


def test_a_step_between_tiers_is_where_the_position_ends() -> None:
    """Of 50,000 200 are kept, of a little more 199 or 201, as the amount is 51 or 49 where 50 would be smooth."""
    for amount, rest, side, cost in ((51, 199.5, 1, 50_000), (49, 50_200.5, -1, 0)):
        stepped = MarginTiers((BTCUSDT.tiers[0], MarginTier(600_000 * USD, 100, rate("0.005"), amount * USD)))
        assert stepped.liquidated_at(int(rest * USD), side, cost * USD) == 50_000 * USD
