"""Cancels orders. Passes every fence."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import now_of
from brokerage.domain.orders.order import OrderName
from brokerage.market.context import MarketContext
from brokerage.orders import store
from brokerage.orders.journal import keep, open_desk
from brokerage.orders.rows import StoredOrder


def cancel(conn: Connection, house: MarketContext, name: OrderName, now_ns: int) -> StoredOrder:
    """Cancel an order if it is open. Passes every fence. Raises NotFound (E_ORDER_UNKNOWN)."""
    account = accounts_store.find_account(conn, name.scope.account, lock=True)
    known = store.order(conn, name, house.instruments)
    if account is None or known.record.closed:
        return known
    desk = open_desk(conn, house, account, name.scope, known.record.id)
    event = desk.cancel(known.record.id, now_of(account, now_ns))
    if event is None:
        return known
    keep(conn, account, [(desk, event)])
    return StoredOrder(known.body, known.epoch, (*known.events, event), desk.records[known.record.id])


def cancel_all(conn: Connection, house: MarketContext, name: str, strategy_id: str, now_ns: int) -> list[StoredOrder]:
    """Cancel every open order of an account, or of one strategy in it, in one transaction."""
    accounts_store.account(conn, name, lock=True)
    found = [stored.record.order for stored in store.open_orders(conn, house.instruments, name)]
    wanted = [order for order in found if strategy_id in ("", order.scope.strategy_id)]
    return [cancel(conn, house, OrderName(order.scope, order.client_order_id), now_ns) for order in wanted]
