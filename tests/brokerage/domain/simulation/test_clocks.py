"""Money over time with several symbols whose bars have different lengths. Prices in dollars."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.models.profile import EVERY_CLASS, BrokerageProfile
from brokerage.domain.models.profiles.crypto import binance_usdm
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.models.profiles.ibkr import ibkr_equities
from brokerage.domain.models.source import Dated
from brokerage.domain.money import rate
from brokerage.domain.orders.order import Side
from brokerage.domain.simulation.carry import Payment
from qmtl.core.instants import to_ns

HOUR = 3_600_000_000_000
DAY = 24 * HOUR
START = to_ns(datetime(2024, 11, 27, tzinfo=UTC))
FAST = instrument("FAST", base="FAST", quote="USD", price_places=2, asset_class=AssetClass.CRYPTO)
SLOW = replace(FAST, symbol="SLOW", base="SLOW")
STOCK = instrument("X", base="X", quote="USD", price_places=2)
FUTURE = instrument("F", base="F", quote="USD", price_places=2, multiplier="50", asset_class=AssetClass.FUTURE)
FREE = margin(4, fee="0", participation="0")


def account(profile: BrokerageProfile, *traded: Instrument) -> SimulatedAccount:
    return SimulatedAccount(profile, {"USD": Decimal(10_000)}, instruments=traded)


def bar(start_ns: int, length_ns: int, price: int = 100) -> Bar:
    cents = 100 * price
    return Bar(start_ns, start_ns + length_ns, cents, cents, cents, cents, 10**9)


def play(desk: SimulatedAccount, first: int, last: int, price: int = 100) -> list[Payment]:
    """Hours of one symbol, and the day of another that ends with the last."""
    paid: list[Payment] = []
    for hour in range(first, last):
        start = START + hour * HOUR
        day = hour % 24 == 23
        paid += desk.advance(start - 23 * HOUR if day else start)
        desk.on_bar("FAST", bar(start, HOUR))
        if day:
            desk.on_bar("SLOW", bar(start - 23 * HOUR, DAY, price))
        paid += desk.advance(start + HOUR)
    return paid


def funded(*hours: int) -> BrokerageProfile:
    rows = tuple(Dated(START + hour * HOUR, rate("0.001")) for hour in hours)
    return replace(binance_usdm(), fee=FREE.fee, participation=0, funding_rates={"SLOW": rows})


def test_funding_within_a_long_bar_waits_for_it_though_another_symbol_is_ahead() -> None:
    desk = account(funded(24, 32, 40), FAST, SLOW)
    assert play(desk, 0, 24) == []
    desk.market("SLOW", Side.BUY, Decimal(10), START + DAY, "in")  # filled at the open of the second day
    assert play(desk, 24, 47) == []
    paid = play(desk, 47, 48, 110)
    assert [(one.symbol, one.at_ns - START, one.amount // 10**6) for one in paid] == [
        ("SLOW", 32 * HOUR, -110),
        ("SLOW", 40 * HOUR, -110),
    ]


def test_what_is_due_in_a_symbol_without_bars_is_paid_at_its_last_price() -> None:
    desk = account(funded(50, 90), FAST, SLOW)
    play(desk, 0, 24)
    desk.market("SLOW", Side.BUY, Decimal(10), START + DAY, "in")
    play(desk, 24, 48, 110)
    paid = [payment for hour in range(48, 95) for payment in desk.advance(START + hour * HOUR)]
    assert [one.at_ns - START for one in paid] == [50 * HOUR, 90 * HOUR]
    assert {one.amount // 10**6 for one in paid} == {-110}


def test_what_a_short_sale_brought_reduces_no_loan() -> None:
    profile = replace(ibkr_equities(), fee=FREE.fee, participation=0, leverage=4)
    for sold, owed in ((0, 5_000), (40, 5_000), (-1, 4_900)):
        desk = account(profile, STOCK, replace(STOCK, symbol="Y"))
        for symbol in ("X", "Y"):
            desk.on_bar(symbol, bar(START, HOUR))
        desk.market("X", Side.BUY, Decimal(150 - (sold < 0)), START + HOUR, "in")
        if sold > 0:
            desk.market("Y", Side.SELL, Decimal(sold), START + HOUR, "short")
        desk.advance(START + HOUR)
        for symbol in ("X", "Y"):
            desk.on_bar(symbol, bar(START + HOUR, HOUR))
        [paid] = desk.advance(START + DAY)
        assert paid.amount == -round(owed * 6_250_000 / 360)  # 4.75 % and 1.5 % of a year of 360 days


def test_the_loan_of_a_short_that_rose_is_not_what_its_rise_has_cost() -> None:
    """10,000, and 50 sold at 100: 15,000. At 301 their lender holds 15,050."""
    profile = replace(ibkr_equities(), fee=FREE.fee, participation=0, leverage=4)
    desk = account(profile, STOCK)
    desk.on_bar("X", bar(START, HOUR))
    desk.market("X", Side.SELL, Decimal(50), START + HOUR, "short")
    desk.on_bar("X", bar(START + HOUR, HOUR))
    desk.advance(START + 2 * HOUR)
    desk.on_bar("X", bar(START + 2 * HOUR, HOUR, 301))
    [paid] = desk.advance(START + DAY)
    assert paid.kind is CashKind.INTEREST
    assert paid.amount == -868_056  # 50 owed at 6.25 %


def test_futures_of_a_profile_of_every_class_are_marked_each_night() -> None:
    assert FREE.asset_classes == EVERY_CLASS
    desk = account(FREE, FUTURE)
    desk.on_bar("F", bar(START, HOUR))
    desk.market("F", Side.BUY, Decimal(1), START + HOUR, "in")
    desk.advance(START + HOUR)
    desk.on_bar("F", bar(START + HOUR, HOUR, 100))
    desk.on_bar("F", bar(START + 2 * HOUR, HOUR, 101))
    [paid] = desk.advance(START + DAY)
    assert (paid.kind.value, paid.amount) == ("VARIATION", 50 * 10**8)
    assert desk.cash("USD") == 10_050
