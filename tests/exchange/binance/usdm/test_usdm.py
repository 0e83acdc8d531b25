"""The real ccxt class of Binance USD-M at the local exchange: orders, positions, conditional orders, listen keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from qmtl.exchanges.credentials import Credentials
from tests.exchange.binance.usdm.client import Client, connected, opened
from tests.exchange.core.faults import Trouble

STOP = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "0.1",
    "algoType": "CONDITIONAL",
    "type": "STOP_MARKET",
    "triggerPrice": "95",
    "clientAlgoId": "s1",
}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with connected(opened()) as found:
        yield found


async def risk(client: Client) -> list[tuple[str, Decimal, Decimal]]:
    found = await client.ccxt.fapiprivatev3_get_positionrisk({"symbol": "BTCUSDT"})
    return [(one["positionSide"], Decimal(one["positionAmt"]), Decimal(one["entryPrice"])) for one in found]


async def test_markets_are_listed_as_ccxt_reads_them(client: Client) -> None:
    assert client.ccxt.symbols == ["BTC/USDT:USDT", "ETH/USDT:USDT"]
    market = client.ccxt.market("BTC/USDT:USDT")
    assert (market["linear"], market["contractSize"], market["limits"]["cost"]["min"]) == (True, 1.0, 5.0)


@pytest.mark.parametrize("keys", [Credentials("key", "other"), Credentials("nobody", "secret")])
async def test_a_request_that_is_signed_wrong_is_refused(keys: Credentials) -> None:
    async with connected(opened(), keys) as client:
        with pytest.raises(ccxt.AuthenticationError):
            await client.ccxt.fapiprivatev3_get_balance()


async def test_a_request_outside_of_its_window_is_refused(client: Client) -> None:
    client.ccxt.nonce = lambda: client.exchange.clock() - 2_500
    with pytest.raises(ccxt.InvalidNonce):
        await client.order()
    assert client.exchange.open_orders("client") == []


async def test_a_position_is_turned_round_and_pays_what_it_has_won(client: Client) -> None:
    await client.order(price=None, quantity="0.2")
    assert await risk(client) == [("BOTH", Decimal("0.2"), Decimal(101))]
    client.exchange.quote("BTCUSDT", "111", "112")
    await client.order("SELL", "0.5", None)
    assert await risk(client) == [("BOTH", Decimal("-0.3"), Decimal(111))]
    trades = await client.ccxt.fapiprivate_get_usertrades({"symbol": "BTCUSDT"})
    assert [(one["side"], one["realizedPnl"]) for one in trades] == [("BUY", "0.00000000"), ("SELL", "2.00000000")]
    [usdt] = await client.ccxt.fapiprivatev3_get_balance()
    assert Decimal(usdt["balance"]) == Decimal(10_000) + 2 - Decimal("0.0202") - Decimal("0.0555")


async def test_both_sides_are_held_apart_in_hedge_mode(client: Client) -> None:
    await client.ccxt.fapiprivate_post_positionside_dual({"dualSidePosition": "true"})
    with pytest.raises(ccxt.ExchangeError, match="position side does not match"):
        await client.order(price=None)
    await client.order(price=None, quantity="0.3", positionSide="LONG")
    await client.order("SELL", "0.2", None, positionSide="SHORT", newClientOrderId="c2")
    assert [(side, amount) for side, amount, _ in await risk(client)] == [
        ("LONG", Decimal("0.3")),
        ("SHORT", Decimal("-0.2")),
    ]
    with pytest.raises(ccxt.ExchangeError, match="ReduceOnly"):
        await client.order("SELL", "0.4", None, positionSide="LONG", newClientOrderId="c3")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"quantity": "0.0001"}, "step size"),
        ({"price": "100.01"}, "tick size"),
        ({"quantity": "0.04"}, "NOTIONAL"),
        ({"quantity": "3000"}, "Margin is insufficient"),
        ({"reduceOnly": "true"}, "ReduceOnly"),
        ({"timeInForce": "GTX", "price": "102"}, "immediately match"),
        ({"type": "STOP_MARKET", "stopPrice": "90"}, "Algo Order API"),
    ],
)
async def test_what_an_exchange_refuses_changes_nothing(client: Client, more: dict[str, str], text: str) -> None:
    with pytest.raises(ccxt.BaseError):
        await client.order(**more)
    assert client.exchange.open_orders("client") == []


async def test_an_order_that_only_reduces_ends_with_what_it_could_reduce(client: Client) -> None:
    await client.order(price=None, newClientOrderId="c0")
    await client.order("SELL", "0.1", "120", reduceOnly="true")
    client.exchange.close_out("client", "BTCUSDT", "autoclose-1")
    assert client.exchange.open_orders("client") == []
    closed = await client.ccxt.fapiprivate_get_order({"symbol": "BTCUSDT", "origClientOrderId": "c1"})
    assert closed["status"] == "EXPIRED"
    forced = await client.ccxt.fapiprivate_get_order({"symbol": "BTCUSDT", "origClientOrderId": "autoclose-1"})
    assert (forced["status"], await risk(client)) == ("FILLED", [])


async def algo(client: Client, name: str = "s1") -> Any:
    return await client.ccxt.fapiprivate_get_algoorder({"clientAlgoId": name})


async def test_a_conditional_order_becomes_another_one_once_triggered(client: Client) -> None:
    await client.order(price=None)
    await client.ccxt.fapiprivate_post_algoorder(STOP)
    assert await client.ccxt.fapiprivate_get_openorders({}) == []
    client.exchange.quote("BTCUSDT", "95.1", "96")
    assert ((await algo(client))["algoStatus"], (await algo(client))["actualOrderId"]) == ("NEW", "")
    client.exchange.quote("BTCUSDT", "95", "96")
    found = await algo(client)
    made = await client.ccxt.fapiprivate_get_order({"symbol": "BTCUSDT", "orderId": found["actualOrderId"]})
    assert (found["algoStatus"], made["status"], made["clientOrderId"]) == ("FINISHED", "FILLED", "algo-made-1")
    with pytest.raises(ccxt.OrderNotFound):
        await client.ccxt.fapiprivate_delete_algoorder({"clientAlgoId": "s1"})


async def test_a_conditional_order_that_would_trigger_at_once_is_refused(client: Client) -> None:
    await client.order(price=None)  # the last price is 101 then
    with pytest.raises(ccxt.BaseError, match="immediately trigger"):
        await client.ccxt.fapiprivate_post_algoorder({**STOP, "triggerPrice": "102"})


async def test_a_conditional_order_is_looked_at_only_when_it_is_triggered(client: Client) -> None:
    await client.ccxt.fapiprivate_post_algoorder({**STOP, "reduceOnly": "true"})
    client.exchange.quote("BTCUSDT", "94", "95")
    assert (await algo(client))["algoStatus"] == "REJECTED"


async def test_a_trailing_stop_follows_and_lets_go_when_the_price_turns(client: Client) -> None:
    asked = {name: value for name, value in STOP.items() if name != "triggerPrice"}
    await client.ccxt.fapiprivate_post_algoorder({**asked, "type": "TRAILING_STOP_MARKET", "callbackRate": "1"})
    for bid in ("100", "200", "198.1"):
        client.exchange.quote("BTCUSDT", bid, "300")
    assert (await algo(client))["algoStatus"] == "NEW"
    client.exchange.quote("BTCUSDT", "198", "300")
    assert (await algo(client))["algoStatus"] == "FINISHED"


async def test_funding_is_paid_by_who_is_long(client: Client) -> None:
    await client.order(price=None)
    client.exchange.fund("BTCUSDT", "0.0001")
    [paid] = await client.ccxt.fapiprivate_get_income({"incomeType": "FUNDING_FEE"})
    assert (paid["income"], paid["asset"], paid["symbol"]) == ("-0.00101000", "USDT", "BTCUSDT")


async def test_margin_brackets_are_listed(client: Client) -> None:
    [found] = await client.ccxt.fapiprivate_get_leveragebracket({"symbol": "BTCUSDT"})
    assert [one["notionalFloor"] for one in found["brackets"]] == [0, 50_000, 250_000]


async def test_trades_are_listed_for_seven_days_at_most(client: Client) -> None:
    asked = {"symbol": "BTCUSDT", "startTime": 0, "endTime": 8 * 86_400_000}
    with pytest.raises(ccxt.BaseError, match="7 days"):
        await client.ccxt.fapiprivate_get_usertrades(asked)
    with pytest.raises(ccxt.BaseError, match="fromId"):
        await client.ccxt.fapiprivate_get_usertrades({"symbol": "BTCUSDT", "startTime": 0, "fromId": 0})


@pytest.mark.parametrize(
    ("trouble", "error", "orders"),
    [
        (Trouble.SILENT_AFTER, ccxt.RequestTimeout, 1),
        (Trouble.CUT_BEFORE, ccxt.ExchangeNotAvailable, 0),
        (Trouble.BROKEN_AFTER, ccxt.ExchangeNotAvailable, 1),
        (Trouble.UNSURE_AFTER, ccxt.OperationFailed, 1),
        (Trouble.BANNED, ccxt.DDoSProtection, 0),
    ],
)
async def test_troubles_come_as_asked_and_leave_the_order_or_not(
    client: Client, trouble: Trouble, error: type, orders: int
) -> None:
    client.plan("POST order", trouble)
    with pytest.raises(error):
        await client.order()
    assert len(client.exchange.open_orders("client")) == orders


@pytest.mark.soak
async def test_the_stream_tells_until_its_key_expires(client: Client) -> None:
    watching = asyncio.create_task(client.ccxt.watch_orders())
    await client.exchange.streams.until_open("client")
    await client.order()
    async with asyncio.timeout(5):
        assert [one["info"]["X"] for one in await watching] == ["NEW"]
    client.dialect.keys.expire("client")
    assert client.exchange.streams.of("client") == []
    with pytest.raises(ccxt.BaseError, match="listenKey"):
        await client.ccxt.fapiprivate_put_listenkey()
    assert (await client.ccxt.fapiprivate_post_listenkey())["listenKey"] == "listen-client-2"
