"""A brokerage process whose venue is the local exchange: a client there has 10,000 USDT and a bitcoin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from brokerage.domain.market.bars import Bar
from brokerage.domain.orders.order import Order, Side
from brokerage.domain.orders.states import OrderType
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import venue_service_pb2 as venueservicepb
from qmtl.core.clock import SystemClock
from qmtl.core.errors import QmtlError
from qmtl.core.instants import to_ns
from qmtl.exchanges.credentials import Credentials
from qmtl.rpc.auth.tokens import ensure_service_token
from tests.brokerage.mesh import Client, Mesh, running_mesh
from tests.brokerage.samples import OWNER
from tests.exchange.binance.client import KEYS, opened
from tests.exchange.binance.spot import BinanceSpot
from tests.exchange.binance.usdm import client as usdm
from tests.exchange.binance.usdm.rest import BinanceUsdm
from tests.exchange.core.exchange import Exchange
from tests.exchange.kraken import client as kraken
from tests.exchange.kraken.rest import KrakenSpot
from tests.exchange.server import Dialect, serving
from tests.support.waiting import eventually

MINUTE_NS = 60 * 10**9
TTL_S = 4.0
WAIT_S = 45.0
CLIENTS: Mapping[Callable[[Exchange], Dialect], tuple[Callable[[], Exchange], Credentials]] = {
    BinanceSpot: (opened, KEYS),
    BinanceUsdm: (usdm.opened, KEYS),
    KrakenSpot: (kraken.opened, kraken.KEYS),
}
"""An exchange with a client that has money there, and its keys, by what the exchange speaks."""


@dataclass(slots=True)
class Traded:
    """A brokerage at the exchange, and a client of it."""

    mesh: Mesh
    exchange: Exchange
    client: Client

    async def open(
        self,
        preset: str = "btc",
        kind: accountpb.AccountType = accountpb.ACCOUNT_TYPE_CASH,
        currency: str = "USDT",
        wait_s: float = WAIT_S,
    ) -> None:
        """Open the account at the exchange, with a price of bitcoin, and wait until it may trade."""
        request = account_request()
        request.type, request.base_currency = kind, currency
        await self.client.accounts.OpenVenueAccount(request)
        await eventually(self.is_active, wait_s)
        await self.client.accounts.AddFeed(accountservicepb.AddFeedRequest(account="acc", data_preset=preset))
        self.mesh.feed.tell(minute_ago(100))
        await eventually(self.is_priced, WAIT_S)

    async def is_active(self) -> bool:
        request = accountservicepb.GetAccountRequest(account="acc")
        account = (await self.client.accounts.GetAccount(request)).account
        return account.trading_state == accountpb.TRADING_STATE_ACTIVE

    async def is_priced(self) -> bool:
        request = accountservicepb.GetAccountRequest(account="acc")
        (feed,) = (await self.client.accounts.GetAccount(request)).account.feeds
        return feed.HasField("venue_time")

    async def until(self, name: str, *states: orderpb.OrderState, wait_s: float = WAIT_S) -> orderpb.OrderStatus:
        """The order, once it is in one of these states."""

        async def there() -> bool:
            try:
                return (await self.client.status_of(name)).state in states
            except QmtlError:  # the process is being restarted
                return False

        await eventually(there, wait_s)
        return await self.client.status_of(name)

    async def venue(self) -> venueservicepb.GetVenueStatusResponse:
        return await self.client.venue.GetVenueStatus(venueservicepb.GetVenueStatusRequest(venue="binance"))

    def sent(self) -> list[str]:
        """The client ids of all orders that the exchange has taken."""
        return [order.ask.client_id for order in self.exchange.orders.values() if order.account == "client"]


def account_request() -> accountservicepb.OpenVenueAccountRequest:
    return accountservicepb.OpenVenueAccountRequest(
        account="acc", venue="binance", world_ids=["w1"], base_currency="USDT"
    )


def minute_ago(price: int) -> Bar:
    """The bar that has just ended, at one price."""
    end = to_ns(SystemClock().now())
    cents = price * 100
    return Bar(end - MINUTE_NS, end, cents, cents, cents, cents, 10)


def bitcoin(name: str, price: str = "98", side: Side = Side.BUY, quantity: str = "0.1") -> Order:
    return Order(
        OWNER, name, "BTC/USDT", side, Decimal(quantity), OrderType.LIMIT, limit_price=Decimal(price), venue=""
    )


def at(address: str, **changes: Any) -> dict[str, dict[str, Any]]:
    """The exchange as a venue of the settings."""
    entry = {
        "exchange": "binance",
        "symbols": ["BTC/USDT"],
        "live": True,
        "stage": "local",
        "address": address,
        "poll_s": 5.0,  # each comparison spends of the limits that are shared with its orders
        "lease_ttl_s": TTL_S,
        "timeout_ms": 2000,
    }
    return {"binance": {**entry, **changes}}


@asynccontextmanager
async def at_exchange(
    home: Path, nats_url: str, dialect: Callable[[Exchange], Dialect] = BinanceSpot, **changes: Any
) -> AsyncIterator[Traded]:
    """A mesh whose settings name the exchange; no process runs yet."""
    folder = home / "credentials"
    folder.mkdir(mode=0o700)
    made, credentials = CLIENTS[dialect]
    keys = folder / f"{changes.get('exchange', 'binance')}-main.toml"
    keys.touch(mode=0o600)
    keys.write_text(f'api_key = "{credentials.api_key}"\nsecret = "{credentials.secret}"\n')
    exchange = made()
    async with serving(exchange, dialect(exchange)) as address, running_mesh(home, nats_url) as mesh:
        ensure_service_token(home, "brokerage")
        mesh.venues = at(address, **changes)
        yield Traded(mesh, exchange, mesh.client())


async def started(traded: Traded, mode: str = "LIVE") -> asyncio.subprocess.Process:
    """The process, with the world's fence open in a mode."""
    process = await traded.mesh.spawn()
    await traded.mesh.ready()
    await traded.mesh.client(role=None, service="worldservice").fence(1, mode=mode)
    return process
