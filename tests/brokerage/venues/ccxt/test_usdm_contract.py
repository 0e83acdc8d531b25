"""An account at Binance USD-M is a venue: the real ccxt class at the local exchange."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from brokerage.venues.ccxt.dialects.binance_usdm import BinanceUsdm
from brokerage.venues.ccxt.venue import CcxtVenue
from qmtl.core.clock import VirtualClock
from qmtl.exchanges.connection import Connection
from tests.brokerage.venues.ccxt.contract import CcxtRig, CcxtVenueContract, Speech
from tests.exchange.binance.client import clocked
from tests.exchange.binance.usdm.client import connected, opened
from tests.support.clocks import START

SPEECH = Speech("BTC/USDT:USDT", "BTCUSDT", "POST order", "DELETE order")


@pytest.fixture
async def rig() -> AsyncIterator[CcxtRig]:
    clock = VirtualClock(START)
    async with connected(opened(clock=clocked(clock))) as client:
        at, dialect = Connection(client.ccxt, clock), BinanceUsdm()
        known = {one.symbol: one for one in await dialect.instruments(at)}
        yield CcxtRig(
            client,
            clock,
            CcxtVenue(dialect, at, clock, known),
            lambda: CcxtVenue(BinanceUsdm(), Connection(client.ccxt, clock), clock, known),
            SPEECH,
        )


class TestUsdmVenue(CcxtVenueContract):
    """What every venue over ccxt does."""
