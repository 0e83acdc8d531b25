"""A process that drives an account and has orders taken without end: `python -m ... STORE ADDRESS NAME PLACE`."""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal

from prometheus_client import CollectorRegistry

from brokerage.domain.orders.order import Order, Side
from brokerage.domain.orders.states import OrderType
from brokerage.orders.entry.submit import submit
from brokerage.venues.ccxt.venue import CcxtVenue
from brokerage.venues.dispatch.dispatcher import Dispatcher, DispatchMetrics
from brokerage.venues.driver import LinkState, VenueDriver
from brokerage.venues.lease import VenueLease
from brokerage.venues.nonces import KeyNonces
from brokerage.venues.reconcile.reconcile import Reconciler
from qmtl.core.clock import SystemClock
from qmtl.core.instants import to_ns
from qmtl.exchanges.connection import Connection
from qmtl.sql.database import Database
from tests.brokerage.venues.reconcile.live import LIVE_GATE, OWNER, live_market
from tests.brokerage.venues.reconcile.places import PLACES

TTL_S = 8.0


async def main(store: str, address: str, name: str, exchange: str) -> None:
    """Drive until killed."""
    clock, db, place = SystemClock(), Database(store), PLACES[exchange]
    async with place.client_of(address) as found:
        lease = VenueLease(db, OWNER.account, place.traits, clock, ttl_s=TTL_S)
        dialect = place.dialect()
        known = {one.symbol: one for one in await dialect.instruments(Connection(found, clock))}
        nonces = KeyNonces(db, found.apiKey, lease, clock) if place.counts else None
        at = Connection(found, clock, signed_at=lease.signing_ms, nonces=nonces)
        market = live_market(known.values(), place)
        venue = CcxtVenue(dialect, at, clock, known)
        dispatcher = Dispatcher(db, market, lambda _: venue, clock, DispatchMetrics(CollectorRegistry()))
        reconciler = Reconciler(db, market, venue, OWNER.account, clock)
        driver = VenueDriver(venue, reconciler, dispatcher, lease, clock, poll_s=0.5)
        running = asyncio.create_task(driver.run())
        count = 0
        while not running.done():
            if driver.status.state is LinkState.CONNECTED:
                count += 1
                side = Side.BUY if count % 3 else Side.SELL
                price = None if count % 4 == 0 else Decimal(96 + count % 8)
                kind = OrderType.MARKET if price is None else OrderType.LIMIT
                order = Order(
                    OWNER,
                    f"{name}-{count}",
                    place.btc,
                    side,
                    Decimal("0.06"),
                    kind,
                    limit_price=price,
                    venue=place.name,
                )
                now_ns = to_ns(clock.now())
                await db.write(lambda conn, one=order, at=now_ns: submit(conn, market, one, LIVE_GATE, at))  # type: ignore[misc]
            await clock.sleep(0.05)
        await running


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
