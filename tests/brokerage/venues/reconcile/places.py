"""The exchanges that an account of the tests may be at: what each calls things, and how it is reached."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from brokerage.domain.accounts.account import AccountType
from brokerage.domain.orders.venue_traits import VenueTraits
from brokerage.venues.ccxt.dialects.binance import SPOT, BinanceSpot
from brokerage.venues.ccxt.dialects.binance_usdm import USDM, BinanceUsdm
from brokerage.venues.ccxt.dialects.dialect import Dialect
from brokerage.venues.ccxt.dialects.kraken import SPOT as KRAKEN_SPOT
from brokerage.venues.ccxt.dialects.kraken import KrakenSpot
from tests.exchange.binance import client as binance
from tests.exchange.binance.usdm import client as usdm
from tests.exchange.core.exchange import Exchange
from tests.exchange.core.faults import Trouble
from tests.exchange.core.values import Execution
from tests.exchange.kraken import client as kraken
from tests.exchange.kraken.words import trade_id


class ExchangeClient(Protocol):
    """A local exchange, and the ccxt class that is its client."""

    @property
    def exchange(self) -> Exchange: ...

    @property
    def ccxt(self) -> Any: ...

    @property
    def address(self) -> str: ...

    def plan(self, request: str, trouble: Trouble) -> None: ...


@dataclass(frozen=True, slots=True)
class Place:
    """One exchange. `symbols` are its bitcoin and ether, with its own names of them; `requests` are what may fail."""

    name: str
    symbols: Mapping[str, str]
    money: str
    kind: AccountType
    traits: VenueTraits
    dialect: Callable[[], Dialect]
    opened: Callable[..., Exchange]
    connected: Callable[[Exchange], AbstractAsyncContextManager[ExchangeClient]]
    client_of: Callable[[str], AbstractAsyncContextManager[Any]]
    requests: tuple[str, ...]
    trade_name: Callable[[Execution], str] = lambda done: str(done.trade_id)
    counts: bool = False  # its requests are numbered

    @property
    def btc(self) -> str:
        return next(iter(self.symbols))

    @property
    def btc_id(self) -> str:
        return self.symbols[self.btc]


@asynccontextmanager
async def _usdm(exchange: Exchange) -> AsyncIterator[ExchangeClient]:
    async with usdm.connected(exchange) as client:
        yield client


@asynccontextmanager
async def _binance(exchange: Exchange) -> AsyncIterator[ExchangeClient]:
    async with binance.connected(exchange) as client:
        yield client


@asynccontextmanager
async def _kraken(exchange: Exchange) -> AsyncIterator[ExchangeClient]:
    async with kraken.connected(exchange) as client:
        yield client


BINANCE = Place(
    name="binance",
    symbols={"BTC/USDT": "BTCUSDT", "ETH/USDT": "ETHUSDT"},
    money="USDT",
    kind=AccountType.CASH,
    traits=SPOT,
    dialect=BinanceSpot,
    opened=binance.opened,
    connected=_binance,
    client_of=binance.client_of,
    requests=(
        *("POST order", "DELETE order", "POST cancelReplace"),
        *("GET order", "GET openOrders", "GET myTrades", "GET account"),
    ),
)
BINANCE_USDM = Place(
    name="binanceusdm",
    symbols={"BTC/USDT:USDT": "BTCUSDT", "ETH/USDT:USDT": "ETHUSDT"},
    money="USDT",
    kind=AccountType.MARGIN,
    traits=USDM,
    dialect=BinanceUsdm,
    opened=usdm.opened,
    connected=_usdm,
    client_of=usdm.client_of,
    requests=(
        *("POST order", "DELETE order", "POST algoOrder", "DELETE algoOrder", "GET algoOrder", "GET openAlgoOrders"),
        *("GET order", "GET openOrders", "GET userTrades", "GET balance", "GET positionRisk", "GET income"),
    ),
)
KRAKEN = Place(
    name="kraken",
    symbols={"BTC/USD": "XBTUSD", "ETH/USD": "ETHUSD"},
    money="USD",
    kind=AccountType.CASH,
    traits=KRAKEN_SPOT,
    dialect=KrakenSpot,
    opened=kraken.opened,
    connected=_kraken,
    client_of=kraken.client_of,
    requests=(
        *("POST AddOrder", "POST CancelOrder", "POST OpenOrders", "POST ClosedOrders"),
        *("POST QueryOrders", "POST TradesHistory", "POST BalanceEx"),
    ),
    trade_name=trade_id,
    counts=True,
)
PLACES = {place.name: place for place in (BINANCE, BINANCE_USDM, KRAKEN)}
