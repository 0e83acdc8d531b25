"""The real process with an account at the local exchange as Kraken: its key counts, over a kill of the process too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from brokerage.domain.orders.order import Order
from qmtl.broker.v1 import order_pb2 as orderpb
from tests.brokerage.exchange_mesh import at_exchange, bitcoin, started
from tests.exchange.kraken.rest import KrakenSpot

FILLED, ACCEPTED = orderpb.ORDER_STATE_FILLED, orderpb.ORDER_STATE_ACCEPTED
SETTINGS = {"exchange": "kraken", "symbols": ["BTC/USD"], "lease_ttl_s": 8.0, "poll_s": 60.0}
PACED_S = 150.0  # its limits let a comparison through in half a minute


def dollars(name: str, price: str) -> Order:
    return replace(bitcoin(name, price), symbol="BTC/USD")


@pytest.mark.soak  # a minute: Kraken lets a call through every 2 s
@pytest.mark.timeout(420)
async def test_orders_fill_before_and_after_a_kill(tmp_path: Path, nats_url: str) -> None:
    async with at_exchange(tmp_path, nats_url, KrakenSpot, **SETTINGS) as traded:
        process = await started(traded)
        await traded.open("btc-usd", currency="USD", wait_s=PACED_S)
        cash = {row.currency: row.settled for row in (await traded.client.portfolio()).cash}
        assert (cash["USD"], cash["BTC"]) == ("10000", "1")

        for name, price in (("o1", "98"), ("o2", "95")):
            taken = (await traded.client.submit(dollars(name, price), domain="LIVE")).status
            assert not taken.denial, taken.message
            await traded.until(name, ACCEPTED)
        process.kill()
        await process.wait()
        traded.exchange.quote("XBTUSD", "96", "97")  # one fills while nobody is there
        await started(traded)
        assert (await traded.until("o1", FILLED, wait_s=PACED_S)).average_price == "98"
        await traded.client.submit(dollars("o3", "93"), domain="LIVE")
        await traded.until("o3", ACCEPTED, wait_s=PACED_S)
        assert [(fill.client_order_id, fill.price) for fill in await traded.client.fills()] == [("o1", "98")]
        assert len(traded.sent()) == len(set(traded.sent())) == 3
