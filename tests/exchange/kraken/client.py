"""The local exchange as Kraken, and the real ccxt class as its client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokerage.venues.ccxt.dialects.kraken import OPTIONS
from qmtl.exchanges.connection import made
from qmtl.exchanges.credentials import Credentials
from tests.exchange.binance.client import IMPATIENCE_MS, PATIENCE_MS
from tests.exchange.core.exchange import Exchange
from tests.exchange.core.faults import Trouble
from tests.exchange.core.values import Listing
from tests.exchange.kraken.rest import KrakenSpot
from tests.exchange.server import serving

BTC = Listing("XBTUSD", "BTC", "USD", Decimal("0.1"), Decimal("0.00000001"), Decimal("0.5"))
ETH = Listing("ETHUSD", "ETH", "USD", Decimal("0.01"), Decimal("0.00000001"), Decimal("0.5"))
KEYS = Credentials("key", "c2VjcmV0")  # a secret is base64 there


@dataclass(frozen=True, slots=True)
class Client:
    """An exchange, its Kraken dialect, and a ccxt class that is its client."""

    exchange: Exchange
    dialect: KrakenSpot
    ccxt: Any
    address: str

    def plan(self, request: str, trouble: Trouble) -> None:
        """What the next request of a kind meets; the client does not wait long for an answer that will not come."""
        self.exchange.faults.plan(request, trouble)
        self.ccxt.timeout = IMPATIENCE_MS if trouble.silent else PATIENCE_MS

    async def buy(self, volume: str = "0.1", price: str | None = "100", **more: str) -> Any:
        """Send an order to buy bitcoin, at the market without a price."""
        kind = {"ordertype": "limit", "price": price} if price else {"ordertype": "market"}
        asked = {"pair": "XXBTZUSD", "type": "buy", "volume": volume, "cl_ord_id": "c1", **kind}
        return await self.ccxt.private_post_addorder({**asked, **more})


def opened(**settings: Any) -> Exchange:
    """An exchange that quotes bitcoin at 99 to 101 and ether at 9 to 11, and has a client with money.

    Fees are in dollars on both sides, as with the flag `fciq`.
    """
    exchange = Exchange([BTC, ETH], **settings)
    account = exchange.open_account("client", KEYS.api_key, KEYS.secret, USD="10000", BTC="1")
    account.fee_asset = "USD"
    exchange.quote("XBTUSD", "99", "101")
    exchange.quote("ETHUSD", "9", "11")
    return exchange


@asynccontextmanager
async def connected(exchange: Exchange, keys: Credentials = KEYS) -> AsyncIterator[Client]:
    """A client of a served exchange, until the block ends."""
    dialect = KrakenSpot(exchange)
    async with serving(exchange, dialect) as address, client_of(address, keys) as found:
        yield Client(exchange, dialect, found, address)


@asynccontextmanager
async def client_of(address: str, keys: Credentials = KEYS) -> AsyncIterator[Any]:
    """The ccxt class as a client of a served exchange, until the block ends. Its nonces grow."""
    found = made("kraken", keys, options=OPTIONS, address=address, timeout_ms=PATIENCE_MS)
    found.timeout_on_exit = 0
    try:
        await found.load_markets()
        yield found
    finally:
        await found.close()
