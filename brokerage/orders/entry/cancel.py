"""Cancels orders. Passes every fence."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.orders.order import OrderName
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.trading.commands import cancel
from brokerage.fences import intents
from brokerage.market.context import MarketContext
from brokerage.orders import store
from brokerage.orders.entry.contingencies import record_in
from brokerage.orders.working import load_orders


def cancel_order(conn: Connection, market: MarketContext, name: OrderName, now_ns: int) -> StoredOrder:
    """Cancel an order if it is open. Passes every fence. Raises NotFound (E_ORDER_UNKNOWN)."""
    account = accounts_store.find_account(conn, name.owner.account, lock=True)
    known = store.order(conn, name, market.instruments)
    if account is None or known.record.closed:
        return known
    view, book = load_orders(conn, market, account, name.owner, known.record.id)
    time, record = account.time(now_ns, known.order.symbol), book.record(known.record.id)
    event = cancel(book, record.id, time, direct=market.link.direct)
    if event is None:
        return known
    if event.kind is EventKind.PENDING_CANCEL:
        intents.write_cancel(conn, book.record(record.id), now_ns)
    record_in(conn, market, account, (view, book), [event])
    return StoredOrder(known.order, known.epoch, (*known.events, event), book.record(record.id))


def cancel_all(conn: Connection, market: MarketContext, of: store.OrdersOf, now_ns: int) -> list[StoredOrder]:
    """Cancel every open order of an account, or of one world or strategy in it, in one transaction."""
    accounts_store.account(conn, of.account, lock=True)
    found = [stored.record.order for stored in store.open_orders(conn, market.instruments, of.account)]
    wanted = [order for order in found if of.has(order.owner)]
    names = [OrderName(order.owner, order.client_order_id) for order in wanted]
    return [cancel_order(conn, market, name, now_ns) for name in names]
