"""A venue whose clock is apart from ours is told by name, and takes only what takes risk away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from brokerage.accounts import at_venues
from brokerage.config import Settings, VenueEntry
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import OrderState
from brokerage.market.configured import market_of
from brokerage.venues import states
from brokerage.venues.ccxt.plug import ccxt_plug
from brokerage.venues.connections import VenueConnections, VenueMetrics
from brokerage.venues.dispatch.dispatcher import Dispatcher, DispatchMetrics
from brokerage.venues.driver import LinkState
from brokerage.venues.plugs import PlugTerms, plugged
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.core.clock import SystemClock
from qmtl.core.tasks.ending import end
from tests.brokerage.samples import ACTOR, WORLD, open_book
from tests.brokerage.venues.reconcile.live import living
from tests.brokerage.venues.reconcile.places import KRAKEN
from tests.exchange.core.exchange import now_ms
from tests.exchange.kraken import client as kraken
from tests.exchange.kraken.rest import KrakenSpot
from tests.exchange.server import serving
from tests.support.waiting import eventually

APART = "the clock here is 30000 ms ahead of the exchange's, want 1000 ms at most"
ENVIRON = {"QMTL_KRAKEN_MAIN_API_KEY": kraken.KEYS.api_key, "QMTL_KRAKEN_MAIN_SECRET": kraken.KEYS.secret}


@pytest.mark.parametrize(("behind_ms", "state"), [(30_000, LinkState.CLOCK_APART), (0, LinkState.CONNECTED)])
async def test_how_far_a_clock_is_apart_is_kept_and_has_a_name(
    tmp_path: Path, behind_ms: int, state: LinkState
) -> None:
    """Kraken takes an order until a deadline by its own clock: signed by one that is ahead, it outlives the lease."""
    exchange, clock = kraken.opened(clock=lambda: now_ms() - behind_ms), SystemClock()
    async with serving(exchange, KrakenSpot(exchange)) as address:
        entry = VenueEntry(exchange="kraken", symbols=("BTC/USD",), stage="local", address=address, poll_s=0.5)
        plug = plugged(PlugTerms("main", entry, clock, ENVIRON, tmp_path), ccxt_plug)
        market, registry = market_of(Settings(venues={"main": entry}), {"main": plug.traits}), CollectorRegistry()
        request = accountservicepb.OpenVenueAccountRequest(account="acc", venue="main", base_currency="USD")
        wanted = at_venues.draft(market, request, 7)
        async with open_book(f"sqlite:///{tmp_path / 'store.db'}", market) as book:
            measures = (VenueMetrics(registry), DispatchMetrics(registry))
            connections = VenueConnections(book.db, market, {"main": plug}, {"main": entry}, clock, measures)
            await book.db.write(lambda conn: at_venues.open_at_venue(conn, wanted, [WORLD], ACTOR, accounts_max=10))
            following = asyncio.create_task(connections.follow("main"))

            async def told() -> bool:
                (record,) = await book.db.read(states.records)
                return record.state == state.value

            try:
                await eventually(told, 45.0)
                (record,) = await book.db.read(states.records)
                assert record.ahead_ms is not None
                apart_ms = behind_ms - record.ahead_ms  # its time is told in whole seconds
                assert 0 <= apart_ms <= 2_000 if behind_ms else record.ahead_ms in range(-1_000, 1)
                assert ("want 1000 ms at most" in record.detail) is bool(behind_ms)
            finally:
                await end(following)


async def test_while_it_is_apart_only_cancels_and_what_reduces_go(tmp_path: Path) -> None:
    async with living(f"sqlite:///{tmp_path / 'store.db'}", place=KRAKEN) as live:
        await live.order("held", price=None)
        await live.order("resting", price="90")
        await live.settle()
        live.dispatcher = Dispatcher(
            live.db,
            live.market,
            lambda _: live.venue,
            live.clock,
            DispatchMetrics(CollectorRegistry()),
            only_reduces=lambda: APART,
        )
        await live.order("more", price=None)
        await live.order("less", Side.SELL, quantity="0.06", price=None)
        await live.cancel("resting")
        await live.settle()
        records = await live.records()
        assert (records["more"].denial, APART in records["more"].detail) == (Denial.TRADING_REDUCING, True)
        assert records["less"].state is OrderState.FILLED
        assert records["resting"].state is OrderState.CANCELED
        await live.require_books_of_the_exchange()
