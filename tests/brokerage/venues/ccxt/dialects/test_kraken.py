"""Kraken's rows, read from the real ccxt class at the local exchange: its names, pages, deadlines, both channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import EventKind, OrderType, TimeInForce
from brokerage.venues.ccxt.dialects.dialect import OutgoingOrder
from brokerage.venues.ccxt.dialects.kraken import KrakenSpot
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import Unavailable
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import Connection, VenueRefused
from tests.brokerage.venues.ccxt.counting import Counting
from tests.exchange.binance.client import clocked
from tests.exchange.core.exchange import Exchange
from tests.exchange.core.faults import Trouble
from tests.exchange.core.values import Ask
from tests.exchange.core.values import Side as ExchangeSide
from tests.exchange.kraken import words
from tests.exchange.kraken.client import Client, connected, opened
from tests.support.clocks import START

BTC = "BTC/USD"
LIMIT = OutgoingOrder(
    client_id="abcdefghijklmnop23",
    symbol=BTC,
    side=Side.BUY,
    type=OrderType.LIMIT,
    tif=TimeInForce.GTC,
    quantity=Decimal("0.10000001"),
    limit=Decimal("100.1"),
    stop=None,
    reduce_only=False,
    post_only=False,
    purpose=Purpose.INCREASE,
)
STOP = replace(LIMIT, side=Side.SELL, type=OrderType.STOP_LIMIT, limit=Decimal(94), stop=Decimal(95))


@dataclass(frozen=True, slots=True)
class Kraken:
    """The dialect with its connection and the exchange."""

    dialect: KrakenSpot
    at: Connection
    client: Client
    clock: VirtualClock

    @property
    def exchange(self) -> Exchange:
        return self.client.exchange

    def buy(self, symbol: str = "XBTUSD", quantity: str = "0.1") -> None:
        """Buy, by another client."""
        self.exchange.place("client", Ask(symbol, ExchangeSide.BUY, Decimal(quantity), ""))


@pytest.fixture
async def kraken() -> AsyncIterator[Kraken]:
    clock = VirtualClock(START)
    async with connected(opened(clock=clocked(clock))) as client:
        yield Kraken(KrakenSpot(), Connection(client.ccxt, clock, nonces=Counting()), client, clock)


async def test_an_order_is_sent_and_listed_to_its_last_digit(kraken: Kraken) -> None:
    sent = await kraken.dialect.submit(kraken.at, LIMIT)
    assert await kraken.dialect.open_orders(kraken.at, "") == [sent]
    assert await kraken.dialect.order(kraken.at, BTC, client_id=LIMIT.client_id) == sent
    assert await kraken.dialect.order(kraken.at, BTC, number=sent.number) == sent
    assert (sent.quantity, sent.limit, sent.stop) == (Decimal("0.10000001"), Decimal("100.1"), None)


async def test_a_stop_has_its_trigger_first_and_its_limit_second(kraken: Kraken) -> None:
    await kraken.dialect.submit(kraken.at, STOP)
    [asked] = [one.ask for one in kraken.exchange.open_orders("client")]
    assert (asked.stop, asked.price) == (Decimal(95), Decimal(94))
    [listed] = await kraken.dialect.orders(kraken.at, BTC)
    assert (listed.stop, listed.limit) == (Decimal(95), Decimal(94))


@pytest.mark.parametrize("client_id", ["", "a" * 19, "ä"])
async def test_a_client_id_that_kraken_does_not_take_is_not_sent(kraken: Kraken, client_id: str) -> None:
    with pytest.raises(VenueRefused, match="1 to 18"):
        await kraken.dialect.submit(kraken.at, replace(LIMIT, client_id=client_id))
    assert kraken.client.dialect.signing.nonces == {}


async def test_an_order_that_was_held_up_past_its_deadline_is_not_taken(kraken: Kraken) -> None:
    kraken.client.plan("POST AddOrder", Trouble.HELD)
    with pytest.raises(Unavailable):
        await kraken.dialect.submit(kraken.at, LIMIT)
    kraken.clock.advance(5.1)
    await kraken.exchange.faults.deliver()
    assert kraken.exchange.open_orders("client") == []


async def test_an_order_is_found_as_it_ended(kraken: Kraken) -> None:
    await kraken.dialect.submit(kraken.at, LIMIT)
    assert await kraken.dialect.cancel(kraken.at, BTC, "nobody") is None
    ended = await kraken.dialect.cancel(kraken.at, BTC, LIMIT.client_id)
    assert ended is not None
    assert ended.kind is EventKind.CANCELED
    assert await kraken.dialect.cancel(kraken.at, BTC, LIMIT.client_id) is None
    assert await kraken.dialect.order(kraken.at, BTC, client_id="nobody") is None
    assert await kraken.dialect.order(kraken.at, BTC, number="OXXXXX-XXXXX-XXXXXX") is None


async def test_a_trade_has_its_fee_and_names_its_order(kraken: Kraken) -> None:
    kraken.buy()
    [trade] = await kraken.dialect.trades(kraken.at, [BTC], 0)
    assert (trade.symbol, trade.side, trade.price, trade.quantity) == (BTC, Side.BUY, Decimal(101), Decimal("0.1"))
    assert (trade.fee, trade.fee_currency, trade.liquidity) == (Decimal("0.0101"), "USD", Liquidity.TAKER)
    [order] = await kraken.dialect.orders(kraken.at, BTC)
    assert (trade.number, order.client_id) == (order.number, f"#{order.number}")


async def test_every_trade_is_read_over_pages_and_from_its_millisecond_on(kraken: Kraken) -> None:
    for _ in range(130):
        kraken.clock.advance(0.4)
        kraken.buy(quantity="0.01")
        kraken.buy("ETHUSD", "0.1")
    all_of_it = await kraken.dialect.trades(kraken.at, [BTC, "ETH/USD"], 0)
    assert len(all_of_it) == 260
    since_ms = kraken.exchange.clock() - 400
    late = await kraken.dialect.trades(kraken.at, [BTC], since_ms)
    assert sorted(one.at_ms for one in late) == [since_ms, since_ms + 400]


async def test_balances_have_the_names_of_currencies(kraken: Kraken) -> None:
    assert await kraken.dialect.balances(kraken.at) == {"USD": Decimal(10_000), "BTC": Decimal(1)}
    assert await kraken.dialect.positions(kraken.at) == {BTC: Decimal(1)}


async def test_instruments_have_decimals_and_least_sizes(kraken: Kraken) -> None:
    btc = next(one for one in await kraken.dialect.instruments(kraken.at) if one.symbol == BTC)
    assert (btc.base, btc.quote, btc.price_decimal(btc.tick)) == ("BTC", "USD", Decimal("0.1"))
    assert (btc.quantity_decimal(btc.lot), btc.quantity_decimal(btc.quantity_min)) == (
        Decimal("0.00000001"),
        Decimal("0.0001"),
    )
    assert btc.money_decimal(btc.notional_min) == Decimal("0.5")


async def test_both_an_order_and_a_part_of_a_fill_are_told(kraken: Kraken) -> None:
    watching = asyncio.create_task(kraken.dialect.told(kraken.at))
    await kraken.exchange.streams.until_open("client")
    await kraken.dialect.submit(kraken.at, LIMIT)
    await asyncio.wait_for(watching, 5)
    watching = asyncio.create_task(kraken.dialect.told(kraken.at))
    kraken.exchange.quote("XBTUSD", "98", "99.5", size="0.04")
    await asyncio.wait_for(watching, 5)


async def test_requests_go_in_the_order_of_their_nonces(kraken: Kraken) -> None:
    names = [f"o{number}" for number in range(20)]
    orders = (replace(LIMIT, client_id=name, quantity=Decimal("0.01")) for name in names)
    await asyncio.gather(*(kraken.dialect.submit(kraken.at, one) for one in orders))
    assert len(kraken.exchange.open_orders("client")) == 20


@pytest.mark.parametrize(
    "said", ["EService:Timeout", "EService:Unavailable", "EGeneral:Internal error:100", "EDatabase:Internal error"]
)
async def test_a_failure_within_the_exchange_is_no_refusal(
    kraken: Kraken, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setitem(words.ERRORS, "UNSURE", said)
    kraken.client.plan("POST AddOrder", Trouble.UNSURE_AFTER)
    with pytest.raises(Unavailable):
        await kraken.dialect.submit(kraken.at, LIMIT)
    assert len(kraken.exchange.open_orders("client")) == 1
