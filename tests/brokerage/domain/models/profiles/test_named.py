"""Profiles by name, what they hold, and a few whole trades under them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, instrument
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.profiles.ibkr import SharePlan, ibkr_equities
from brokerage.domain.models.profiles.named import PROFILES, profile_named
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
