"""An account at Binance spot is a venue: the real ccxt class at the local exchange."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.domain.orders.reports import Outcome
from brokerage.venues.ccxt.dialects.binance import BinanceSpot
from brokerage.venues.ccxt.venue import CcxtVenue
from qmtl.core.clock import VirtualClock
from qmtl.exchanges.connection import Connection
from tests.brokerage.venues.ccxt.contract import CcxtRig, CcxtVenueContract, Speech
from tests.exchange.binance.client import clocked, connected, opened
from tests.support.clocks import START

SPEECH = Speech("BTC/USDT", "BTCUSDT", "POST order", "DELETE order", "POST cancelReplace")


@pytest.fixture
async def rig() -> AsyncIterator[CcxtRig]:
    clock = VirtualClock(START)
    exchange = opened(clock=clocked(clock))
    account = exchange.accounts["client"]
    account.total["BTC"], account.fee_asset = Decimal(0), "USDT"
    async with connected(exchange) as client:
        at, dialect = Connection(client.ccxt, clock), BinanceSpot()
        known = {one.symbol: one for one in await dialect.instruments(at)}
        yield CcxtRig(
            client,
            clock,
            CcxtVenue(dialect, at, clock, known),
            lambda: CcxtVenue(BinanceSpot(), Connection(client.ccxt, clock), clock, known),
            SPEECH,
        )


class TestCcxtVenue(CcxtVenueContract):
    """What every venue over ccxt does, and Binance spot."""

    async def test_a_replace_that_the_exchange_does_in_part_is_refused_with_its_words(self, rig: CcxtRig) -> None:
        order = await self._working(rig, "o1")
        by = await rig.wanted(order)
        dear = replace(by, order=replace(by.order, quantity=Decimal(1_000)))
        answer = await rig.venue.replace(order, dear)
        assert answer.outcome is Outcome.REJECTED
        assert "insufficient balance" in answer.reason
        assert rig.client.exchange.open_orders("client") == []
