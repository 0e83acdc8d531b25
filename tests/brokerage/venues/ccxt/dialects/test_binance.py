"""Binance's rows, read from the real ccxt class at the local exchange: exact decimals, every page, both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import EventKind, OrderType, TimeInForce
from brokerage.venues.ccxt.dialects import binance
from brokerage.venues.ccxt.dialects.binance import BinanceSpot
from brokerage.venues.ccxt.dialects.dialect import OutgoingOrder, decimal, json_number, whole
from brokerage.venues.listings import ListedTrade
from qmtl.core.clock import SystemClock
from qmtl.core.errors import Unavailable
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import Connection, VenueRefused
from tests.exchange.binance.client import connected, opened
from tests.exchange.core.exchange import Exchange

LIMIT = OutgoingOrder(
    client_id="o1",
    symbol="BTC/USDT",
    side=Side.BUY,
    type=OrderType.LIMIT,
    tif=TimeInForce.GTC,
    quantity=Decimal("0.10001"),
    limit=Decimal("100.01"),
    stop=None,
    reduce_only=False,
    post_only=False,
    purpose=Purpose.INCREASE,
)
STOP = replace(LIMIT, side=Side.SELL, type=OrderType.STOP_MARKET, limit=None, stop=Decimal(95), client_id="o2")


@dataclass(frozen=True, slots=True)
class Spot:
    """The dialect with its connection and the exchange."""

    dialect: BinanceSpot
    at: Connection
    exchange: Exchange


@pytest.fixture
async def spot() -> AsyncIterator[Spot]:
    async with connected(opened()) as client:
        yield Spot(BinanceSpot(), Connection(client.ccxt, SystemClock()), client.exchange)


async def test_an_order_is_sent_and_listed_to_its_last_digit(spot: Spot) -> None:
    sent = await spot.dialect.submit(spot.at, LIMIT)
    assert (sent.client_id, sent.symbol, sent.side, sent.kind) == ("o1", "BTC/USDT", Side.BUY, EventKind.ACCEPTED)
    assert (sent.quantity, sent.limit, sent.filled) == (Decimal("0.10001"), Decimal("100.01"), Decimal(0))
    assert sent.stop is None
    [listed] = await spot.dialect.open_orders(spot.at, "")
    assert replace(listed, at_ms=0) == replace(sent, at_ms=0)
    assert await spot.dialect.order(spot.at, "BTC/USDT", number=sent.number) == listed
    assert await spot.dialect.order(spot.at, "BTC/USDT", client_id="o1") == listed


async def test_a_stop_rests_at_the_exchange(spot: Spot) -> None:
    assert (await spot.dialect.submit(spot.at, STOP)).stop == Decimal(95)
    assert spot.exchange.open_orders("client")[0].waiting


@pytest.mark.parametrize(("tif", "kind"), [(TimeInForce.IOC, EventKind.EXPIRED), (TimeInForce.FOK, EventKind.EXPIRED)])
async def test_what_does_not_fill_at_once_has_expired(spot: Spot, tif: TimeInForce, kind: EventKind) -> None:
    assert (await spot.dialect.submit(spot.at, replace(LIMIT, tif=tif))).kind is kind


async def test_a_post_only_order_that_would_take_is_refused(spot: Spot) -> None:
    with pytest.raises(VenueRefused, match="immediately match"):
        await spot.dialect.submit(spot.at, replace(LIMIT, post_only=True, limit=Decimal(102)))


async def test_a_cancel_tells_what_had_filled_and_of_none_where_there_is_none(spot: Spot) -> None:
    await spot.dialect.submit(spot.at, LIMIT)
    spot.exchange.quote("BTCUSDT", "99", "100", size="0.03")
    ended = await spot.dialect.cancel(spot.at, "BTC/USDT", "o1")
    assert ended is not None
    assert (ended.client_id, ended.kind, ended.filled) == ("o1", EventKind.CANCELED, Decimal("0.03"))
    assert await spot.dialect.cancel(spot.at, "BTC/USDT", "o1") is None
    assert await spot.dialect.order(spot.at, "BTC/USDT", client_id="nobody") is None


async def test_a_trade_has_its_fee_and_what_it_was_paid_in(spot: Spot) -> None:
    await spot.dialect.submit(spot.at, LIMIT)
    spot.exchange.accounts["client"].fee_asset = "BNB"
    spot.exchange.quote("BTCUSDT", "99", "100")
    [trade] = await spot.dialect.trades(spot.at, ["BTC/USDT"], 0)
    assert (trade.price, trade.quantity, trade.side) == (Decimal("100.01"), Decimal("0.10001"), Side.BUY)
    assert (trade.fee, trade.fee_currency, trade.liquidity) == (Decimal("0.01000200"), "BNB", Liquidity.MAKER)


async def test_trades_come_page_by_page_and_a_trade_with_oneself_is_two(spot: Spot) -> None:
    for number in range(5):
        await spot.dialect.submit(spot.at, replace(LIMIT, client_id=f"b{number}", limit=Decimal(100)))
        selling = replace(LIMIT, client_id=f"s{number}", limit=Decimal(100), side=Side.SELL)
        await spot.dialect.submit(spot.at, selling)
    all_trades = await spot.dialect.trades(spot.at, ["BTC/USDT"], 0)
    paged = await BinanceSpot(trades_page=3).trades(spot.at, ["BTC/USDT"], 0)
    assert [trade.trade_id for trade in all_trades] == [str(number) for number in (1, 1, 2, 2, 3, 3, 4, 4, 5, 5)]
    assert sorted(paged, key=place) == sorted(all_trades, key=place)


def place(trade: ListedTrade) -> tuple[int, str]:
    return int(trade.trade_id), trade.side.value


async def test_balances_are_free_and_locked_together(spot: Spot) -> None:
    await spot.dialect.submit(spot.at, LIMIT)
    assert await spot.dialect.balances(spot.at) == {"BTC": Decimal(1), "USDT": Decimal(10_000)}


async def test_instruments_are_those_of_the_exchange(spot: Spot) -> None:
    found = {one.symbol: one for one in await spot.dialect.instruments(spot.at)}
    one = found["BTC/USDT"]
    assert sorted(found) == ["BTC/USDT", "ETH/USDT"]
    assert (one.base, one.quote, one.quantity_scale) == ("BTC", "USDT", 8)
    assert (one.price_decimal(one.tick), one.quantity_decimal(one.lot)) == (Decimal("0.01"), Decimal("0.00001"))
    assert one.money_decimal(one.notional_min) == 5


def test_a_float_is_no_decimal() -> None:
    with pytest.raises(Unavailable, match="want text"):
        decimal({"price": 0.1}, "price")


@pytest.mark.parametrize(
    ("read", "found"),
    [
        (decimal, "1e5"),
        (decimal, ""),
        (decimal, "NaN"),
        (decimal, "1" * 39),
        (whole, "12x"),
        (whole, "1.5"),
        (whole, ""),
        (whole, "9" * 5_000),
        (json_number, float("nan")),
        (json_number, float("inf")),
        (json_number, None),
        (json_number, "x"),
    ],
)
def test_a_malformed_number_is_no_answer_and_its_field_is_named(read: Callable[..., object], found: object) -> None:
    with pytest.raises(Unavailable, match="the venue answered size ") as raised:
        read({"size": found}, "size")
    assert raised.value.reason == "E_VENUE_UNREACHABLE"


def test_well_formed_numbers_are_exact() -> None:
    row = {"size": "-0.0000000001", "id": "-12", "time": 1688666559.8974}
    assert decimal(row, "size") == Decimal("-1e-10")
    assert whole(row, "id") == -12
    assert json_number(row, "time") == Decimal("1688666559.8974")


def test_the_traits_are_what_is_sent() -> None:
    assert binance.SPOT.acceptance_window_ns == int(str(binance.OPTIONS["recvWindow"])) * 10**6
