"""Cancels orders. Passes every fence."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.orders.order import OrderName
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.simulation.arrivals import OrderArrivals
from brokerage.domain.trading.commands import cancel
from brokerage.market.context import MarketContext
from brokerage.orders import store
from brokerage.orders.journal import record_in
from brokerage.orders.working import load_orders

Arrived = Callable[[Connection, str], OrderArrivals]
"""What the venue has of an account's orders whose outcome is not known, asked only where one is on the wire."""


def cancel_order(
    conn: Connection, market: MarketContext, name: OrderName, now_ns: int, arrived: Arrived
) -> StoredOrder:
    """Cancel an order if it is open. Passes every fence. Raises NotFound (E_ORDER_UNKNOWN)."""
    account = accounts_store.find_account(conn, name.owner.account, lock=True)
    known = store.order(conn, name, market.instruments)
    if account is None or known.record.closed:
        return known
    _, book = load_orders(conn, market, account, name.owner, known.record.id)
    time, record = account.time(now_ns, known.order.symbol), book.record(known.record.id)
    at_venue = record.on_the_wire and arrived(conn, account.account).at_venue(record, time.at_ns)
    event = cancel(book, record.id, time, at_venue=at_venue)
    if event is None:
        return known
    record_in(conn, account, book, [event])
    return StoredOrder(known.order, known.epoch, (*known.events, event), book.record(record.id))


def cancel_all(
    conn: Connection, market: MarketContext, of: store.OrdersOf, now_ns: int, arrived: Arrived
) -> list[StoredOrder]:
    """Cancel every open order of an account, or of one world or strategy in it, in one transaction."""
    accounts_store.account(conn, of.account, lock=True)
    found = [stored.record.order for stored in store.open_orders(conn, market.instruments, of.account)]
    wanted = [order for order in found if of.has(order.owner)]
    names = [OrderName(order.owner, order.client_order_id) for order in wanted]
    return [cancel_order(conn, market, name, now_ns, arrived) for name in names]
