"""The local exchange as Binance, and the real ccxt class as its client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokerage.venues.ccxt.dialects.binance import OPTIONS
from qmtl.core.clock import Clock
from qmtl.core.instants import to_ns
from qmtl.exchanges.connection import made
from qmtl.exchanges.credentials import Credentials
from tests.exchange.binance.spot import BinanceSpot
from tests.exchange.core.exchange import Exchange
from tests.exchange.core.faults import Trouble
from tests.exchange.core.values import Listing
from tests.exchange.server import serving

BTC = Listing("BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(5))
ETH = Listing("ETHUSDT", "ETH", "USDT", Decimal("0.01"), Decimal("0.0001"), Decimal(5))
KEYS = Credentials("key", "secret")
PATIENCE_MS = 10_000
IMPATIENCE_MS = 500


@dataclass(frozen=True, slots=True)
class Client:
    """An exchange, and a ccxt class that is its client."""

    exchange: Exchange
    ccxt: Any
    address: str = ""

    def plan(self, request: str, trouble: Trouble) -> None:
        """What the next request of a kind meets; the client does not wait long for an answer that will not come."""
        self.exchange.faults.plan(request, trouble)
        self.ccxt.timeout = IMPATIENCE_MS if trouble.silent else PATIENCE_MS

    async def buy(self, quantity: str = "0.1", price: str | None = "100", client_id: str = "c1", **more: str) -> Any:
        """Send an order to buy bitcoin, at the market without a price."""
        kind = {"type": "LIMIT", "timeInForce": "GTC", "price": price} if price else {"type": "MARKET"}
        asked = {"symbol": "BTCUSDT", "side": "BUY", "quantity": quantity, "newClientOrderId": client_id, **kind}
        return await self.ccxt.private_post_order({**asked, **more})


def clocked(clock: Clock) -> Callable[[], int]:
    """A clock as an exchange reads it: milliseconds."""
    return lambda: to_ns(clock.now()) // 1_000_000


def opened(**settings: Any) -> Exchange:
    """An exchange that quotes bitcoin at 99 to 101 and ether at 9 to 11, and has a client with money."""
    exchange = Exchange([BTC, ETH], **settings)
    exchange.open_account("client", KEYS.api_key, KEYS.secret, USDT="10000", BTC="1")
    exchange.quote("BTCUSDT", "99", "101")
    exchange.quote("ETHUSDT", "9", "11")
    return exchange


@asynccontextmanager
async def connected(exchange: Exchange, keys: Credentials = KEYS) -> AsyncIterator[Client]:
    """A client of a served exchange, until the block ends."""
    async with serving(exchange, BinanceSpot(exchange)) as address, client_of(address, keys) as found:
        yield Client(exchange, found, address)


@asynccontextmanager
async def client_of(address: str, keys: Credentials = KEYS) -> AsyncIterator[Any]:
    """The ccxt class as a client of a served exchange, until the block ends."""
    found = made("binance", keys, options=OPTIONS, address=address, timeout_ms=PATIENCE_MS)
    found.timeout_on_exit = 0
    try:
        await found.load_markets()
        yield found
    finally:
        await found.close()
