"""Orders that end within a bar fill at its open or not at all, as its path is not known. Prices in dollars."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, instrument
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.order import Order, Side, TrailOffsetType
from brokerage.domain.orders.states import OrderType, TimeInForce
from qmtl.core.instants import to_ns

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
STOCK = instrument("X", base="X", quote="USD", price_places=2, calendar="XNYS")
COIN = replace(STOCK, calendar="", asset_class=AssetClass.CRYPTO)
OPENS = to_ns(datetime(2024, 12, 2, 14, 30, tzinfo=UTC))
MIDNIGHT = OPENS - 14 * HOUR - 30 * MINUTE
LIMIT = {"type": OrderType.LIMIT, "limit_price": Decimal(95)}
STOP = {"type": OrderType.STOP_MARKET, "stop_price": Decimal(105)}
STOP_LIMIT = STOP | {"type": OrderType.STOP_LIMIT, "limit_price": Decimal(110)}
TRAIL = {"type": OrderType.TRAILING_STOP, "trail_offset": Decimal(5), "trail_offset_type": TrailOffsetType.PRICE}


def outcome(
    order: Order, shown: tuple[int, int, int, int], start: int, length: int, traded: object = COIN
) -> list[tuple[str, int]]:
    """What a bar tells of an order of ten that was decided as it began, with the prices of fills."""
    desk = SimulatedAccount(margin(2, fee="0", participation="0"), {"USD": Decimal(100_000)}, instruments=[traded])  # type: ignore[list-item]  # an instrument
    desk.on_bar("X", Bar(start - MINUTE, start, 10_000, 10_000, 10_000, 10_000, 1_000))
    desk.submit(order, start)
    opened, high, low, close = (100 * price for price in shown)
    events = desk.on_bar("X", Bar(start, start + length, opened, high, low, close, 1_000))
    return [(event.kind.value, event.fill.price // 100 if event.fill else 0) for event in events]


def buy(**fields: object) -> Order:
    return replace(Order(LOCAL, "o", "X", Side.BUY, Decimal(10)), **fields)  # type: ignore[arg-type]  # real fields


@pytest.mark.parametrize(
    ("fields", "shown", "want"),
    [
        ({}, (101, 110, 90, 100), [("FILLED", 101)]),
        (LIMIT, (94, 110, 90, 100), [("FILLED", 94)]),  # better than its limit at the open
        (LIMIT, (100, 110, 90, 100), [("EXPIRED", 0)]),  # it came to the limit, before or after the end
        (STOP, (106, 110, 90, 100), [("FILLED", 106)]),
        (STOP, (100, 110, 90, 100), [("EXPIRED", 0)]),
        (STOP_LIMIT, (106, 110, 90, 100), [("EXPIRED", 0)]),  # it fills by the close
        (TRAIL, (106, 110, 90, 100), [("FILLED", 106)]),
        (TRAIL, (100, 101, 90, 100), [("EXPIRED", 0)]),
    ],
)
def test_an_order_that_ends_within_a_bar_fills_at_its_open_or_not_at_all(
    fields: dict[str, object], shown: tuple[int, int, int, int], want: list[tuple[str, int]]
) -> None:
    ends = {"tif": TimeInForce.GTD, "expire_at_ns": OPENS + HOUR - 1}
    assert outcome(buy(**fields, **ends), shown, OPENS, HOUR) == want
    later = outcome(buy(**fields, **ends | {"expire_at_ns": OPENS + HOUR}), shown, OPENS, HOUR)
    assert ("EXPIRED", 0) not in later


def test_an_order_that_ends_before_its_bar_opens_does_not_fill() -> None:
    """A day from midnight opens with its session, at 14:30."""
    day = {"shown": (94, 100, 90, 100), "start": MIDNIGHT, "length": DAY, "traded": STOCK}
    for ends, want in ((OPENS, "EXPIRED"), (OPENS + 1, "FILLED")):
        order = buy(**LIMIT, tif=TimeInForce.GTD, expire_at_ns=ends)
        assert outcome(order, **day)[0][0] == want  # type: ignore[arg-type]  # the fields of a bar


def test_a_day_order_fills_anywhere_within_the_bar_of_its_day() -> None:
    """The session closes at 21:00, and with it the bar of the day, though that ends at midnight."""
    touched, order = (100, 101, 90, 100), buy(**LIMIT, tif=TimeInForce.DAY)
    assert outcome(order, touched, MIDNIGHT, DAY, STOCK) == [("FILLED", 95)]
    assert outcome(order, touched, OPENS + 6 * HOUR, 2 * HOUR, STOCK) == [("FILLED", 95)]
    # an hour or less may hold trades after the close, and a bar that ends within the next session does
    assert outcome(order, touched, OPENS + 6 * HOUR, HOUR, STOCK) == [("EXPIRED", 0)]
    assert outcome(order, touched, OPENS + 6 * HOUR, 19 * HOUR, STOCK) == [("EXPIRED", 0)]
    early = buy(**LIMIT, tif=TimeInForce.GTD, expire_at_ns=OPENS + HOUR)
    assert outcome(early, touched, MIDNIGHT, DAY, STOCK) == [("EXPIRED", 0)]


def test_a_day_of_coins_ends_at_midnight_with_its_bar() -> None:
    touched = (100, 101, 90, 100)
    order = buy(**LIMIT, tif=TimeInForce.DAY)
    assert outcome(order, touched, MIDNIGHT, DAY) == [("FILLED", 95)]
    assert outcome(order, touched, MIDNIGHT + HOUR, DAY) == [("EXPIRED", 0)]
