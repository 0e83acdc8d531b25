"""The local exchange's market data as Binance tells it, and the project's source of bars as its client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
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
from tests.exchange.binance.market import BinanceMarket
from tests.exchange.core.exchange import Exchange, now_ms
from tests.exchange.market.meter import Meter
from tests.exchange.market.tape import Tape
from tests.exchange.server import serving

MINUTE_MS = 60_000
BTC_MINUTES = DatasetId(Kind.OHLCV, "binance", "BTC/USDT", 60)
WEIGHT_PLENTY = 6_000


@dataclass(frozen=True, slots=True)
class Market:
    """An exchange that is served: its tape, what it counts, and its address."""

    exchange: Exchange
    tape: Tape
    told: BinanceMarket
    address: str


@asynccontextmanager
async def market(
    clock: Callable[[], int] = now_ms,
    *,
    first_ms: int = 0,
    interval_ms: int = MINUTE_MS,
    weight: int = WEIGHT_PLENTY,
    weight_ms: int = MINUTE_MS,
) -> AsyncIterator[Market]:
    """Serve bars of bitcoin from a time on, until the block ends."""
    exchange = Exchange([BTC], clock=clock)
    tape = Tape("BTCUSDT", interval_ms, first_ms, clock)
    told = BinanceMarket(exchange, [tape], Meter(weight, clock, weight_ms))
    async with serving(exchange, told) as address:
        yield Market(exchange, tape, told, address)


@asynccontextmanager
async def bars_of(
    market: Market,
    *,
    dataset: DatasetId = BTC_MINUTES,
    clock: Clock | None = None,
    budget: RequestBudget | None = None,
    timeout_ms: int = 10_000,
    reach: int | None = None,
) -> AsyncIterator[CcxtSource]:
    """The source of bars over the real ccxt class, until the block ends."""
    endpoint, mine = replace(endpoint_of("binance"), reach=reach), clock or SystemClock()
    found = made("binance", NO_CREDENTIALS, options=endpoint.options, address=market.address, timeout_ms=timeout_ms)
    found.timeout_on_exit = 0
    source = CcxtSource(Connection(found, mine, budget), endpoint, dataset, mine)
    try:
        yield source
    finally:
        await source.close()
