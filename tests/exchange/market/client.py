"""The local exchange's market data as each exchange tells it, and the project's source of bars as its client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from qmtl.core.clock import Clock, SystemClock
from qmtl.exchanges.budgets import RequestBudget
from qmtl.exchanges.connection import Connection, made
from qmtl.exchanges.credentials import NO_CREDENTIALS
from seamless.domain.datasets import DatasetId, Kind
from seamless.sources.ccxt.endpoints import endpoint_of
from seamless.sources.ccxt.source import CcxtSource
from tests.exchange.binance.client import BTC
from tests.exchange.binance.market import SPOT, USDM, BinanceMarket
from tests.exchange.binance.usdm.client import BTC as CONTRACT
from tests.exchange.core.exchange import Exchange, now_ms
from tests.exchange.core.values import Listing
from tests.exchange.kraken.client import BTC as DOLLARS
from tests.exchange.kraken.market import KrakenMarket
from tests.exchange.market.meter import Meter
from tests.exchange.market.tape import Tape
from tests.exchange.server import serving

MINUTE_MS = 60_000
BTC_MINUTES = DatasetId(Kind.OHLCV, "binance", "BTC/USDT", 60)
WEIGHT_PLENTY = 6_000
SYMBOLS: dict[str, tuple[Listing, str]] = {
    "binance": (BTC, "BTC/USDT"),
    "binanceusdm": (CONTRACT, "BTC/USDT:USDT"),
    "kraken": (DOLLARS, "BTC/USD"),
}
"""What of bitcoin each exchange lists, and ccxt's name of it."""


@dataclass(frozen=True, slots=True)
class Market:
    """An exchange that is served: its ccxt id, its tape, what it counts, and its address."""

    exchange_id: str
    exchange: Exchange
    tape: Tape
    told: BinanceMarket | KrakenMarket
    address: str
    others: tuple[Tape, ...] = ()

    @property
    def dataset(self) -> DatasetId:
        """What its bars are called."""
        return DatasetId(Kind.OHLCV, self.exchange_id, SYMBOLS[self.exchange_id][1], self.tape.interval_ms // 1_000)


@asynccontextmanager
async def market(
    clock: Callable[[], int] = now_ms,
    *,
    exchange_id: str = "binance",
    first_ms: int = 0,
    interval_ms: int = MINUTE_MS,
    weight: int = WEIGHT_PLENTY,
    weight_ms: int = MINUTE_MS,
    others: Sequence[tuple[Listing, int]] = (),
) -> AsyncIterator[Market]:
    """Serve bars of bitcoin from a time on, and of other listings by intervals in ms, until the block ends."""
    listing, _ = SYMBOLS[exchange_id]
    exchange = Exchange(list(dict.fromkeys([listing, *(one for one, _ in others)])), clock=clock)
    tape, meter = Tape(listing.symbol, interval_ms, first_ms, clock), Meter(weight, clock, weight_ms)
    more = tuple(Tape(one.symbol, step_ms, first_ms, clock) for one, step_ms in others)
    if exchange_id == "kraken":
        told: BinanceMarket | KrakenMarket = KrakenMarket(exchange, [tape, *more], meter)
    else:
        told = BinanceMarket(exchange, [tape, *more], meter, SPOT if exchange_id == "binance" else USDM)
    async with serving(exchange, told) as address:
        yield Market(exchange_id, exchange, tape, told, address, more)


@asynccontextmanager
async def bars_of(
    market: Market,
    *,
    dataset: DatasetId | None = None,
    clock: Clock | None = None,
    budget: RequestBudget | None = None,
    timeout_ms: int = 10_000,
    reach: int | None = None,
) -> AsyncIterator[CcxtSource]:
    """The source of bars over the real ccxt class, until the block ends. `reach`: of a list as short as that."""
    endpoint, mine = endpoint_of(market.exchange_id), clock or SystemClock()
    endpoint = endpoint if reach is None else replace(endpoint, reach=reach)
    found = made(
        market.exchange_id, NO_CREDENTIALS, options=endpoint.options, address=market.address, timeout_ms=timeout_ms
    )
    found.timeout_on_exit = 0
    source = CcxtSource(Connection(found, mine, budget), endpoint, dataset or market.dataset, mine)
    try:
        yield source
    finally:
        await source.close()
