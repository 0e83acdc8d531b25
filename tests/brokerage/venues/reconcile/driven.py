"""A process that drives an account and has orders taken without end: `python -m ... STORE ADDRESS NAME`."""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal

from prometheus_client import CollectorRegistry

from brokerage.domain.orders.order import Order, Side
from brokerage.domain.orders.states import OrderType
from brokerage.orders.entry.submit import submit
from brokerage.venues.ccxt.dialects.binance import SPOT, BinanceSpot
from brokerage.venues.ccxt.venue import CcxtVenue
from brokerage.venues.dispatch.dispatcher import Dispatcher, DispatchMetrics
from brokerage.venues.driver import LinkState, VenueDriver
from brokerage.venues.lease import VenueLease
from brokerage.venues.reconcile.reconcile import Reconciler
from qmtl.core.clock import SystemClock
from qmtl.core.instants import to_ns
from qmtl.exchanges.connection import Connection
from qmtl.sql.database import Database
from tests.brokerage.venues.reconcile.live import LIVE_GATE, OWNER, live_market
from tests.exchange.binance.client import client_of

TTL_S = 6.0


async def main(store: str, address: str, name: str) -> None:
    """Drive until killed."""
    clock, db = SystemClock(), Database(store)
    async with client_of(address) as found:
        lease = VenueLease(db, OWNER.account, SPOT, clock, ttl_s=TTL_S)
        dialect = BinanceSpot()
        known = {one.symbol: one for one in await dialect.instruments(Connection(found, clock))}
        at = Connection(found, clock, signed_at=lease.signing_ms)
        market = live_market(known.values())
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
                    "BTC/USDT",
                    side,
                    Decimal("0.06"),
                    kind,
                    limit_price=price,
                    venue="binance",
                )
                now_ns = to_ns(clock.now())
                await db.write(lambda conn, one=order, at=now_ns: submit(conn, market, one, LIVE_GATE, at))  # type: ignore[misc]
            await clock.sleep(0.05)
        await running


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
