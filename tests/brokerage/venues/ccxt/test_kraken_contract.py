"""An account at Kraken spot is a venue: the real ccxt class at the local exchange."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from brokerage.venues.ccxt.dialects.kraken import KrakenSpot
from brokerage.venues.ccxt.venue import CcxtVenue
from qmtl.core.clock import VirtualClock
from qmtl.exchanges.connection import Connection
from tests.brokerage.venues.ccxt.contract import CcxtRig, CcxtVenueContract, Speech
from tests.brokerage.venues.ccxt.counting import Counting
from tests.exchange.binance.client import clocked
from tests.exchange.kraken.client import connected, opened
from tests.support.clocks import START

SPEECH = Speech("BTC/USD", "XBTUSD", "POST AddOrder", "POST CancelOrder", window_s=5.0)


@pytest.fixture
async def rig() -> AsyncIterator[CcxtRig]:
    clock = VirtualClock(START)
    exchange = opened(clock=clocked(clock))
    exchange.accounts["client"].total["BTC"] = Decimal(0)
    async with connected(exchange) as client:
        nonces = Counting()
        at, dialect = Connection(client.ccxt, clock, nonces=nonces), KrakenSpot()
        known = {one.symbol: one for one in await dialect.instruments(at)}
        yield CcxtRig(
            client,
            clock,
            CcxtVenue(dialect, at, clock, known),
            lambda: CcxtVenue(KrakenSpot(), Connection(client.ccxt, clock, nonces=nonces), clock, known),
            SPEECH,
        )


class TestKrakenVenue(CcxtVenueContract):
    """What every venue over ccxt does."""
