"""Profiles by name, what they hold, and a few whole trades under them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, instrument
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.fees.composite import CompositeFee
from brokerage.domain.models.fees.percent import PercentFee, TieredPercentFee, VolumeTier
from brokerage.domain.models.fees.tables.ibkr import FIXED, LEAN_FIXED, REGULATORY
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.crypto import binance_spot, binance_usdm, coinbase_spot, kraken_spot
from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.models.profiles.ibkr import SharePlan, ibkr_equities
from brokerage.domain.models.profiles.named import PROFILES, profile_named, zero_cost
from brokerage.domain.models.source import MISSING_TABLES, refuse_table
from brokerage.domain.orders.order import Order, Side
from brokerage.domain.orders.states import EventKind
from qmtl.core.errors import InvalidRequest

MINUTE = 60_000_000_000
STOCK = instrument("AAPL", base="AAPL", quote="USD")


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_found_by_its_own_name(name: str) -> None:
    assert profile_named(name).name == name


def test_an_unknown_profile_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidRequest, match=r"E_PROFILE_UNKNOWN.*ibkr_equities, .*zero_cost"):
        profile_named("ibkr")


@pytest.mark.parametrize(
    ("name", "kind", "leverage", "classes"),
    [
        ("ibkr_equities", BuyingPower.MARGIN, 2, {AssetClass.EQUITY}),
        ("ibkr_futures", BuyingPower.MARGIN, 10, {AssetClass.FUTURE}),
        ("ibkr_fx", BuyingPower.MARGIN, 20, {AssetClass.FOREX}),
        ("binance_spot", BuyingPower.CASH, 1, {AssetClass.CRYPTO}),
        ("binance_usdm", BuyingPower.MARGIN, 20, {AssetClass.CRYPTO}),
        ("kraken_spot", BuyingPower.CASH, 1, {AssetClass.CRYPTO}),
        ("coinbase_spot", BuyingPower.CASH, 1, {AssetClass.CRYPTO}),
        ("zero_cost", BuyingPower.CASH, 1, set(AssetClass)),
    ],
)
def test_profiles_pay_as_their_venue_does(
    name: str, kind: BuyingPower, leverage: int, classes: set[AssetClass]
) -> None:
    profile = profile_named(name)
    assert (profile.buying_power, profile.leverage, set(profile.asset_classes)) == (kind, leverage, classes)


def test_a_table_that_is_not_there_is_named_with_its_reason() -> None:
    for name, reason in MISSING_TABLES.items():
        error = refuse_table(name)
        assert (error.reason, name in str(error), reason in str(error)) == ("E_PROFILE_TABLE_MISSING", True, True)


def paid(plan: SharePlan, quantity: int, volume: int, participation: int) -> list[Decimal]:
    """The fees of the fills of one purchase at 25, over bars of so many shares."""
    profile = replace(ibkr_equities(plan), participation=participation)
    account = SimulatedAccount(profile, {"USD": Decimal(1_000_000)}, instruments=[STOCK])
    price = 2500 * STOCK.tick
    account.on_bar("AAPL", Bar(0, MINUTE, price, price, price, price, volume))
    account.submit(Order(LOCAL, "o", "AAPL", Side.BUY, Decimal(quantity)), MINUTE)
    fees: list[Decimal] = []
    for minute in range(1, 6):
        bar = Bar(minute * MINUTE, (minute + 1) * MINUTE, price, price, price, price, volume)
        events = account.on_bar("AAPL", bar)
        fees += [account.fill_view(event).fee for event in events if event.kind is EventKind.FILLED]
    return fees


def test_an_order_in_many_fills_pays_its_minimum_once() -> None:
    assert paid(SharePlan.FIXED, 300, 1_000, 10_000_000) == [Decimal(1), Decimal(0), Decimal("0.5")]
    assert paid(SharePlan.FIXED, 300, 1_000, 0) == [Decimal("1.5")]
    assert paid(SharePlan.LEAN_PARITY, 300, 1_000, 0) == [Decimal("1.5")]


def test_an_account_with_volume_or_a_stable_pair_has_rates_of_its_own() -> None:
    own = TieredPercentFee((VolumeTier(0, PercentFee(1, 2)),))
    for made in (binance_spot(own), kraken_spot(own), coinbase_spot(own), binance_usdm(own)):
        assert made.fee is own
    assert kraken_spot(own, stable=True).fee is own
    assert kraken_spot(stable=True).fee.rates == (200_000, 200_000)
    assert coinbase_spot(stable=True).fee.rates == (0, 1_000)
    assert [kraken_spot().fee.rates, binance_spot().fee.rates] == [(160_000, 260_000), (100_000, 100_000)]
    assert (binance_usdm(leverage=3).leverage, ibkr_equities(leverage=4).leverage) == (3, 4)


def test_regulators_come_on_request() -> None:
    assert ibkr_equities().fee is FIXED
    with_all = ibkr_equities(regulatory=True).fee
    assert isinstance(with_all, CompositeFee)
    assert with_all.parts == (FIXED, REGULATORY)
    assert ibkr_equities(SharePlan.LEAN_PARITY).fee is LEAN_FIXED


def test_a_profile_without_a_word_is_percent_fees_and_a_tenth_of_volume() -> None:
    made = BrokerageProfile()
    assert (made.fee, made.slippage.rate, made.participation) == (PercentFee(), 0, 10_000_000)
    assert (made.buying_power, made.leverage, made.name) == (BuyingPower.CASH, 1, "generic")
    assert made.funding.fee is made.fee


def test_zero_cost_costs_nothing_and_margin_has_no_leverage_unless_said() -> None:
    free = zero_cost()
    assert (free.fee.rates, free.slippage.rate, free.participation) == ((0, 0), 0, 0)
    assert (margin().leverage, margin(3).leverage, spot().leverage) == (1, 3, 1)


def test_leverages_are_those_of_the_profiles() -> None:
    found = {name: profile_named(name).leverage for name in PROFILES}
    margins = {"ibkr_equities": 2, "ibkr_reg_t": 2, "ibkr_day_trader": 4, "ibkr_futures": 10, "ibkr_fx": 20}
    assert {name: leverage for name, leverage in found.items() if leverage > 1} == margins | {"binance_usdm": 20}
