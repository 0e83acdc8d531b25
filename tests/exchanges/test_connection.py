"""What the outcomes of calls come to: an answer, a refusal, or not known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from controlbus.bus import connected as connected_bus
from qmtl.core.clock import SystemClock
from qmtl.core.errors import Exhausted, InvalidRequest, QmtlError, Unavailable
from qmtl.exchanges.budgets import Purpose, RequestBudget
from qmtl.exchanges.connection import Connection, NoSuchOrder, VenueRefused, made
from qmtl.exchanges.published import limits_of
from tests.controlbus.states import unique
from tests.exchange.binance.client import KEYS, Client, connected, opened
from tests.exchange.core.faults import Trouble
from tests.support.nats import NatsServer

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "100", "quantity": "0.1"}


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection, and the exchange at its other end."""

    at: Connection
    client: Client

    async def send(self, **changes: str) -> object:
        asked = {**ORDER, "newClientOrderId": "c1", **changes}
        return await self.at.call(self.client.ccxt.private_post_order, asked, purpose=Purpose.INCREASE, order=True)


@pytest.fixture
async def one() -> AsyncIterator[Connected]:
    async with connected(opened()) as client:
        yield Connected(Connection(client.ccxt, SystemClock()), client)


@pytest.mark.parametrize("trouble", [trouble for trouble in Trouble if trouble.name.endswith(("_BEFORE", "_AFTER"))])
async def test_no_answer_is_no_refusal(one: Connected, trouble: Trouble) -> None:
    one.client.plan("POST order", trouble)
    with pytest.raises(Unavailable) as raised:
        await one.send()
    assert raised.value.reason == "E_VENUE_UNREACHABLE"
    assert len(one.client.exchange.open_orders("client")) == trouble.done


@pytest.mark.parametrize("trouble", [Trouble.TOO_MANY, Trouble.BANNED])
async def test_what_is_limited_was_not_looked_at(one: Connected, trouble: Trouble) -> None:
    one.client.plan("POST order", trouble)
    with pytest.raises(Exhausted, match="binance lets nothing through"):
        await one.send()


@pytest.mark.parametrize("changes", [{"price": "100.001"}, {"quantity": "1000"}, {"symbol": "NONE"}, {"quantity": "0"}])
async def test_a_refusal_is_in_the_words_of_the_exchange(one: Connected, changes: dict[str, str]) -> None:
    with pytest.raises(VenueRefused, match="binance"):
        await one.send(**changes)


async def test_a_request_with_a_wrong_time_is_refused(one: Connected) -> None:
    one.client.ccxt.nonce = lambda: one.client.exchange.clock() - 3_000
    with pytest.raises(VenueRefused, match="recvWindow"):
        await one.send()


async def test_an_order_that_is_not_there_is_told_apart(one: Connected) -> None:
    asked = {"symbol": "BTCUSDT", "origClientOrderId": "nobody"}
    with pytest.raises(NoSuchOrder):
        await one.at.call(one.client.ccxt.private_get_order, asked, purpose=Purpose.RECONCILE)


async def test_no_text_has_a_secret(one: Connected) -> None:
    one.client.plan("POST order", Trouble.CUT_BEFORE)
    told: list[str] = []
    for changes in ({}, {"price": "100.001"}):
        try:
            await one.send(**changes)
        except (QmtlError, VenueRefused) as error:
            told.append(str(error))
    assert len(told) == 2
    assert not any(word in text for text in told for word in ("secret", "signature", KEYS.api_key + "="))


def test_an_exchange_that_ccxt_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no exchange 'nowhere'") as raised:
        made("nowhere", KEYS, options={})
    assert raised.value.reason == "E_VENUE_INVALID"


async def test_what_adds_risk_leaves_the_reserve_and_a_ban_is_everybodys(one: Connected, nats_url: str) -> None:
    name, exchange = unique("a"), one.client.exchange
    async with connected_bus(nats_url, service="t") as bus:
        limits = limits_of(40, 10_000.0, 20, 10_000.0)  # ten orders at once, two of them for what takes risk away
        budget = RequestBudget(bus, SystemClock(), "test", egress=name, account=name, limits=limits)
        at = Connected(Connection(one.client.ccxt, SystemClock(), budget, wait_s=0.1), one.client)
        for number in range(8):
            await at.send(newClientOrderId=f"o{number}")
        with pytest.raises(Exhausted):
            await at.send(newClientOrderId="o9")
        assert len(exchange.open_orders("client")) == 8
        asked = {"symbol": "BTCUSDT", "origClientOrderId": "o0"}
        await at.at.call(one.client.ccxt.private_delete_order, asked, purpose=Purpose.CANCEL, order=True)
        one.client.plan("GET account", Trouble.TOO_MANY)
        seen: list[str] = []
        exchange.faults.witness = lambda kind, done: seen.append(kind)
        for _ in range(2):
            with pytest.raises(Exhausted):
                await at.at.call(one.client.ccxt.private_get_account, {}, purpose=Purpose.RECONCILE)
        assert seen == ["GET account"] * 2  # as it came and as it went: the second call was not made


async def test_what_takes_risk_away_leaves_while_the_limits_cannot_be_asked(
    one: Connected, nats_server: NatsServer
) -> None:
    name, ccxt = unique("a"), one.client.ccxt
    for number in range(2):
        await one.send(newClientOrderId=f"o{number}")
    async with connected_bus(nats_server.url, service="t") as bus:
        limits = limits_of(40, 10_000.0, 20, 10_000.0)
        budget = RequestBudget(bus, SystemClock(), "test", egress=name, account=name, limits=limits)
        at = Connection(ccxt, SystemClock(), budget, wait_s=0.1)
        assert await at.pace(Purpose.INCREASE, 1) == 0.0
        nats_server.kill()
        with capture_logs() as told:
            for purpose in (Purpose.INCREASE, Purpose.QUERY):
                with pytest.raises(Unavailable):
                    await at.pace(purpose, 2)
            for number in range(2):
                assert await at.pace(Purpose.CANCEL, 2) == 0.0
                asked = {"symbol": "BTCUSDT", "origClientOrderId": f"o{number}"}
                await at.call(ccxt.private_delete_order, asked, purpose=Purpose.CANCEL, order=True)
            sale = {**ORDER, "side": "SELL", "price": "120", "newClientOrderId": "sale"}
            await at.call(ccxt.private_post_order, sale, purpose=Purpose.REDUCE, order=True)
            with pytest.raises(Unavailable):
                await at.call(ccxt.private_get_account, {}, purpose=Purpose.RECONCILE)
    assert [order.ask.client_id for order in one.client.exchange.open_orders("client")] == ["sale"]
    assert [row["event"] for row in told].count("sent_without_limits") == 1
