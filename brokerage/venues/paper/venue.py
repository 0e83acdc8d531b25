"""The paper venue takes orders in."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.market.mark import SECOND_NS
from brokerage.domain.simulation.arrivals import Arrival
from brokerage.fences import intents
from brokerage.market.context import MarketContext
from brokerage.venues.paper import store


def arrive(conn: Connection, market: MarketContext, order_id: str, now_ns: int) -> None:
    """The venue takes an order in, as far away in bars as the link says. What was decided without it it refuses."""
    row = intents.unanswered(conn, order_id)
    if row is None or row.wire_ns is None:
        return
    account = accounts_store.account(conn, row.account)
    at_ns = store.released_ns(conn, order_id)
    if market.link.latency_ms:
        at_ns = max(at_ns, account.time(now_ns).at_ns)
    at_ns += market.link.latency_bars * account.interval_s * SECOND_NS
    lost = market.link.loses_answer(order_id)
    store.add_arrival(conn, order_id, account.account, Arrival(at_ns, lost))
