"""Follows an account's orders: a snapshot, then events in order, until the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from brokerage.accounts import store as accounts_store
from brokerage.commit_notices import Pulse, either, going_away
from brokerage.market.context import MarketContext
from brokerage.orders import listings
from brokerage.orders.store import OrdersOf
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.sql.database import Database
from qmtl.wire.paging import parts_of


class OrderEventStream:
    """Order events of one process, read anew after each commit that wrote some."""

    def __init__(
        self, db: Database, market: MarketContext, orders: Pulse, draining: asyncio.Event, poll_s: float
    ) -> None:
        self._db = db
        self._market = market
        self._orders = orders
        self._draining = draining
        self._poll_s = poll_s

    async def follow(self, of: OrdersOf, number: int) -> AsyncIterator[orderservicepb.StreamOrderEventsResponse]:
        """Messages after a place in the account's log; 0: a snapshot first."""
        if not number:
            statuses, number = await self._db.read(
                lambda conn: listings.open_orders(conn, self._market, accounts_store.account(conn, of.account), of)
            )
            for part, more in parts_of(statuses):
                yield orderservicepb.StreamOrderEventsResponse(
                    snapshot=orderservicepb.OrderSnapshot(statuses=part, account_event_number=number, more=more)
                )
        while not self._draining.is_set():
            beat, start = self._orders.next(), number
            events, number = await self._db.read(
                partial(listings.order_events, market=self._market, of=of, number=start)
            )
            if events:
                yield orderservicepb.StreamOrderEventsResponse(events=orderpb.OrderEvents(events=events))
            if number == start:
                await either(beat, self._draining, self._poll_s)
        raise going_away(number)
