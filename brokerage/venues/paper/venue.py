"""The paper venue takes orders in."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.market.mark import SECOND_NS
from brokerage.domain.simulation.arrivals import Arrival
from brokerage.fences import intents
from brokerage.market.context import MarketContext
from brokerage.orders import store as orders_store
from brokerage.venues.paper import store


def arrive(conn: Connection, market: MarketContext, order_id: str, now_ns: int) -> None:
    """The venue takes an order in, as far away in bars as the link says. What was decided without it it refuses."""
    row = intents.unanswered(conn, order_id)
    if row is None or row.wire_ns is None:
        return
    account = accounts_store.account(conn, row.account)
    symbol = orders_store.symbol_of(conn, order_id)
    feed = account.feed(symbol)
    at_ns = store.released_ns(conn, order_id)
    if market.link.latency_ms:
        at_ns = max(at_ns, account.time(now_ns, symbol).at_ns)
    at_ns += market.link.latency_bars * (feed.interval_s if feed is not None else 0) * SECOND_NS
    store.add_arrival(conn, order_id, account.account, Arrival(at_ns, market.link.loses_answer(order_id)))
