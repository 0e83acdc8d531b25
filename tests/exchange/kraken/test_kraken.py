"""The real ccxt class of Kraken at the local exchange: signatures, nonces, deadlines, orders, the user's channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import ccxt
import pytest

from qmtl.exchanges.credentials import Credentials
from tests.exchange.core.faults import Trouble
from tests.exchange.kraken.client import Client, connected, opened


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with connected(opened()) as found:
        count = iter(range(1, 1_000))
        found.ccxt.nonce = lambda: next(count)
        yield found


async def test_markets_are_listed_as_ccxt_reads_them(client: Client) -> None:
    assert client.ccxt.symbols == ["BTC/USD", "ETH/USD"]
    market = client.ccxt.market("BTC/USD")
    assert (market["id"], market["altname"], market["limits"]["amount"]["min"]) == ("XXBTZUSD", "XBTUSD", 0.0001)


@pytest.mark.parametrize(
    ("keys", "text"), [(Credentials("key", "b3RoZXI="), "signature"), (Credentials("nobody", "c2VjcmV0"), "key")]
)
async def test_a_request_that_is_signed_wrong_is_refused(keys: Credentials, text: str) -> None:
    async with connected(opened(), keys) as client:
        with pytest.raises(ccxt.ExchangeError, match=f"Invalid {text}"):
            await client.ccxt.private_post_balanceex()


async def test_a_nonce_that_does_not_grow_is_refused(client: Client) -> None:
    await client.buy()
    client.ccxt.nonce = lambda: 1
    with pytest.raises(ccxt.InvalidNonce):
        await client.buy(cl_ord_id="c2")
    assert len(client.exchange.open_orders("client")) == 1


@pytest.mark.parametrize(
    ("ahead_s", "text"),
    [(1, "Invalid arguments:deadline"), (61, "Invalid arguments:deadline"), (-1, "elapsed"), (5, "")],
)
async def test_an_order_is_taken_until_its_deadline(client: Client, ahead_s: int, text: str) -> None:
    until = datetime.fromtimestamp(client.exchange.clock() / 1_000 + ahead_s, UTC).isoformat()
    if not text:
        await client.buy(deadline=until)
        return
    with pytest.raises(ccxt.BaseError, match=text):
        await client.buy(deadline=until)
    assert client.exchange.open_orders("client") == []


async def test_an_order_rests_fills_and_pays_its_fee_in_quote(client: Client) -> None:
    [number] = (await client.buy("0.5"))["result"]["txid"]
    client.exchange.quote("XBTUSD", "98", "99.5", size="0.2")
    found = (await client.ccxt.private_post_queryorders({"txid": number}))["result"][number]
    assert (found["status"], found["vol_exec"], found["descr"]["pair"]) == ("open", "0.20000000", "XBTUSD")
    [trade] = (await client.ccxt.private_post_tradeshistory({}))["result"]["trades"].values()
    assert (trade["ordertxid"], trade["pair"], trade["price"], Decimal(trade["fee"])) == (
        number,
        "XXBTZUSD",
        "100.00000",
        Decimal("0.02"),
    )
    held = (await client.ccxt.private_post_balanceex())["result"]
    assert {name: (one["balance"], one["hold_trade"]) for name, one in held.items()} == {
        "XXBT": ("1.2", "0"),
        "ZUSD": ("9979.98000000", "30.0"),
    }


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"volume": "0.00001"}, "Order minimum"),
        ({"volume": "0.001"}, "Cost minimum"),
        ({"price": "100.01"}, "Invalid price"),
        ({"volume": "1000"}, "Insufficient funds"),
        ({"oflags": "post", "price": "102"}, "Post only"),
        ({"cl_ord_id": "a-client-id-of-nineteen"}, "cl_ord_id"),
        ({"pair": "NONE"}, "asset pair"),
    ],
)
async def test_what_an_exchange_refuses_changes_nothing(client: Client, more: dict[str, str], text: str) -> None:
    with pytest.raises(ccxt.BaseError, match=text):
        await client.buy(**more)
    assert client.exchange.open_orders("client") == []


@pytest.mark.parametrize("name", ["c" * 18, "0" * 32, "6d1b345e-2821-40e2-ad83-4ecb18a06876"])
async def test_client_ids_are_short_text_or_uuids_and_unique_while_open(client: Client, name: str) -> None:
    await client.buy(cl_ord_id=name)
    with pytest.raises(ccxt.ExchangeError, match="in use"):
        await client.buy(cl_ord_id=name)
    assert (await client.ccxt.private_post_cancelorder({"cl_ord_id": name}))["result"]["count"] == 1
    await client.buy(cl_ord_id=name)
    closed = (await client.ccxt.private_post_closedorders({"cl_ord_id": name}))["result"]["closed"]
    assert [one["status"] for one in closed.values()] == ["canceled"]


async def test_both_sides_of_a_trade_with_oneself_share_the_number_of_the_trade(client: Client) -> None:
    await client.buy(cl_ord_id="mine")
    await client.buy(type="sell", cl_ord_id="mine-too")
    found = (await client.ccxt.private_post_tradeshistory({}))["result"]["trades"]
    assert len(found) == 2
    assert {one["trade_id"] for one in found.values()} == {1}


@pytest.mark.parametrize(
    ("trouble", "error", "orders"),
    [
        (Trouble.SILENT_AFTER, ccxt.RequestTimeout, 1),
        (Trouble.CUT_BEFORE, ccxt.ExchangeNotAvailable, 0),
        (Trouble.BROKEN_AFTER, ccxt.ExchangeNotAvailable, 1),
        (Trouble.UNSURE_AFTER, ccxt.ExchangeNotAvailable, 1),
        (Trouble.TOO_MANY, ccxt.DDoSProtection, 0),
    ],
)
async def test_troubles_come_as_asked_and_leave_the_order_or_not(
    client: Client, trouble: Trouble, error: type, orders: int
) -> None:
    client.plan("POST AddOrder", trouble)
    with pytest.raises(error):
        await client.buy()
    assert len(client.exchange.open_orders("client")) == orders


async def test_the_channel_tells_of_orders_and_of_fills(client: Client) -> None:
    orders = asyncio.create_task(client.ccxt.watch_orders())
    await client.exchange.streams.until_open("client")
    await client.buy()
    async with asyncio.timeout(5):
        assert [one["info"]["exec_type"] for one in await orders] == ["new"]
    trades = asyncio.create_task(client.ccxt.watch_my_trades())
    client.exchange.quote("XBTUSD", "98", "99.5", size="0.04")
    async with asyncio.timeout(5):
        assert [one["amount"] for one in await trades] == [0.04]
