"""The real ccxt class of Binance at the local exchange: signatures, orders, trades, the user's stream, troubles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import ccxt
import pytest

from qmtl.exchanges.credentials import Credentials
from tests.exchange.binance.client import Client, connected, opened
from tests.exchange.core.faults import Delivery, Trouble
from tests.exchange.core.values import Side


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with connected(opened()) as found:
        yield found


async def test_markets_are_listed_as_ccxt_reads_them(client: Client) -> None:
    assert client.ccxt.symbols == ["BTC/USDT", "ETH/USDT"]
    assert client.ccxt.market("BTC/USDT")["precision"] == {"amount": 1e-5, "price": 0.01, "base": 1e-8, "quote": 1e-8}


@pytest.mark.parametrize("keys", [Credentials("key", "other"), Credentials("nobody", "secret")])
async def test_a_request_that_is_signed_wrong_is_refused(keys: Credentials) -> None:
    async with connected(opened(), keys) as client:
        with pytest.raises(ccxt.AuthenticationError):
            await client.ccxt.private_get_account()


async def test_a_request_outside_of_its_window_is_refused(client: Client) -> None:
    client.ccxt.nonce = lambda: client.exchange.clock() - 2_500
    with pytest.raises(ccxt.InvalidNonce):
        await client.buy()
    assert client.exchange.open_orders("client") == []


async def test_an_order_rests_fills_in_parts_and_pays_its_fee_in_what_it_receives(client: Client) -> None:
    assert (await client.buy(quantity="0.5"))["status"] == "NEW"
    account = client.exchange.accounts["client"]
    assert (account.free("USDT"), account.locked["USDT"]) == (Decimal(9950), Decimal(50))
    client.exchange.quote("BTCUSDT", "98", "99.5", size="0.2")
    trades = await client.ccxt.private_get_mytrades({"symbol": "BTCUSDT"})
    assert [(one["price"], one["qty"], one["commission"], one["isMaker"]) for one in trades] == [
        ("100.00000000", "0.20000000", "0.00020000", True)
    ]
    held = {one["asset"]: (one["free"], one["locked"]) for one in (await client.ccxt.private_get_account())["balances"]}
    assert held == {"BTC": ("1.19980000", "0.00000000"), "USDT": ("9950.00000000", "30.00000000")}


async def test_a_market_order_trades_at_the_quote(client: Client) -> None:
    done = await client.buy(price=None)
    assert (done["status"], done["executedQty"], done["fills"][0]["price"]) == ("FILLED", "0.10000000", "101.00000000")


async def test_a_stop_waits_for_its_price(client: Client) -> None:
    asked = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.1", "type": "STOP_LOSS", "stopPrice": "95"}
    await client.ccxt.private_post_order(asked)
    client.exchange.quote("BTCUSDT", "96", "97")
    assert client.exchange.executions("client") == []
    client.exchange.quote("BTCUSDT", "94", "95")
    assert [one.price for one in client.exchange.executions("client")] == [Decimal(94)]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"quantity": "0.000001"}, ccxt.InvalidOrder),
        ({"price": "100.001"}, ccxt.InvalidOrder),
        ({"quantity": "0.04"}, ccxt.BadRequest),
        ({"quantity": "1000"}, ccxt.InsufficientFunds),
        ({"type": "LIMIT_MAKER", "price": "102"}, ccxt.ExchangeError),
        ({"symbol": "NONE"}, ccxt.BadSymbol),
    ],
)
async def test_what_an_exchange_refuses_changes_nothing(client: Client, asked: dict[str, str], error: type) -> None:
    with pytest.raises(error):
        await client.buy(**asked)
    assert client.exchange.open_orders("client") == []
    assert client.exchange.accounts["client"].locked["USDT"] == 0


async def test_a_client_id_is_taken_once_while_open_and_again_after_a_fill(client: Client) -> None:
    await client.buy()
    with pytest.raises(ccxt.ExchangeError, match="Duplicate"):
        await client.buy()
    client.exchange.quote("BTCUSDT", "98", "99.5")
    await client.buy(price="90")
    assert [one.client_id for one in client.exchange.executions("client")] == ["c1"]
    assert [one.ask.client_id for one in client.exchange.open_orders("client")] == ["c1"]


async def test_trade_ids_repeat_across_symbols_and_in_a_trade_with_oneself(client: Client) -> None:
    await client.buy(price="100", client_id="mine")
    selling = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "price": "100"}
    await client.ccxt.private_post_order({**selling, "quantity": "0.1", "newClientOrderId": "mine-too"})
    asked = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
    await client.ccxt.private_post_order(asked)
    done = [(one.symbol, one.side, one.trade_id) for one in client.exchange.executions("client")]
    assert done == [("BTCUSDT", Side.SELL, 1), ("BTCUSDT", Side.BUY, 1), ("ETHUSDT", Side.BUY, 1)]


async def test_a_cancel_names_the_order_and_a_second_one_finds_none(client: Client) -> None:
    await client.buy()
    asked = {"symbol": "BTCUSDT", "origClientOrderId": "c1"}
    assert (await client.ccxt.private_delete_order(asked))["status"] == "CANCELED"
    with pytest.raises(ccxt.OrderNotFound):
        await client.ccxt.private_delete_order(asked)
    with pytest.raises(ccxt.OrderNotFound):
        await client.ccxt.private_get_order({"symbol": "BTCUSDT", "origClientOrderId": "c2"})


@pytest.mark.parametrize(
    ("trouble", "error", "orders"),
    [
        (Trouble.SILENT_AFTER, ccxt.RequestTimeout, 1),
        (Trouble.SILENT_BEFORE, ccxt.RequestTimeout, 0),
        (Trouble.CUT_AFTER, ccxt.ExchangeNotAvailable, 1),
        (Trouble.CUT_BEFORE, ccxt.ExchangeNotAvailable, 0),
        (Trouble.BROKEN_AFTER, ccxt.ExchangeNotAvailable, 1),
        (Trouble.BROKEN_BEFORE, ccxt.ExchangeNotAvailable, 0),
        (Trouble.UNSURE_AFTER, ccxt.OperationFailed, 1),
        (Trouble.TOO_MANY, ccxt.DDoSProtection, 0),
        (Trouble.BANNED, ccxt.DDoSProtection, 0),
    ],
)
async def test_troubles_come_as_asked_and_leave_the_order_or_not(
    client: Client, trouble: Trouble, error: type, orders: int
) -> None:
    client.plan("POST order", trouble)
    with pytest.raises(error):
        await client.buy()
    assert len(client.exchange.open_orders("client")) == orders
    client.plan("POST order", Trouble.NONE)
    assert (await client.buy(client_id="c2"))["status"] == "NEW"


async def watch(client: Client, number: int) -> list[str]:
    """The states of orders in the next updates of the stream."""
    seen: list[str] = []
    while len(seen) < number:
        async with asyncio.timeout(5):
            seen += [one["info"]["X"] for one in await client.ccxt.watch_orders()]
    return seen


async def test_the_stream_tells_what_happens_to_orders(client: Client) -> None:
    watching = asyncio.create_task(watch(client, 1))
    await client.exchange.streams.until_open("client")
    await client.buy()
    assert await watching == ["NEW"]
    watching = asyncio.create_task(watch(client, 1))
    client.exchange.quote("BTCUSDT", "98", "99.5")
    assert await watching == ["FILLED"]


async def test_events_are_dropped_and_come_late_as_asked(client: Client) -> None:
    stream = client.exchange.streams.open("client")
    client.exchange.faults.plan_events("client", Delivery.NEVER, Delivery.LATE, Delivery.ONCE, Delivery.TWICE)
    client.exchange.transfer("client", "A", "1")
    client.exchange.transfer("client", "B", "1")
    client.exchange.transfer("client", "C", "1")
    client.exchange.transfer("client", "D", "1")
    told = [await stream.next() for _ in range(4)]
    assert [one.delta and one.delta[0] for one in told if one] == ["C", "B", "D", "D"]  # type: ignore[union-attr]


async def test_a_stream_that_is_cut_can_be_opened_again(client: Client) -> None:
    watching = asyncio.create_task(watch(client, 1))
    await client.exchange.streams.until_open("client")
    client.exchange.streams.cut("client")
    with pytest.raises(ccxt.NetworkError):
        await watching
    watching = asyncio.create_task(watch(client, 1))
    await client.exchange.streams.until_open("client")
    await client.buy()
    assert await watching == ["NEW"]
