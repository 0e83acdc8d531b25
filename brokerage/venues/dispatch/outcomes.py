"""What is heard of an order after its send: its answer, none, or the reply to a query."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import now_of
from brokerage.domain.orders.order import OrderName
from brokerage.market.context import MarketContext
from brokerage.orders.journal import keep_desk, open_desk


def answer(conn: Connection, house: MarketContext, name: OrderName, order_id: str, now_ns: int) -> None:
    """Hear the venue's answer to an order that has arrived."""
    account = accounts_store.account(conn, name.scope.account, lock=True)
    desk = open_desk(conn, house, account, name.scope, order_id)
    keep_desk(conn, account, desk, desk.answer(now_of(account, now_ns).at_ns, now_ns))


def lose(conn: Connection, house: MarketContext, name: OrderName, order_id: str, now_ns: int) -> None:
    """No answer came in time: flag the outcome as unknown."""
    account = accounts_store.account(conn, name.scope.account, lock=True)
    desk = open_desk(conn, house, account, name.scope, order_id)
    if order_id in desk.records:
        keep_desk(conn, account, desk, desk.lose(order_id, now_of(account, now_ns)))


def resolve(conn: Connection, house: MarketContext, name: OrderName, order_id: str, now_ns: int) -> bool:
    """Ask the venue by venue id about an unknown outcome; whether it is known now. Never sends."""
    account = accounts_store.account(conn, name.scope.account, lock=True)
    desk = open_desk(conn, house, account, name.scope, order_id)
    if order_id not in desk.records:
        return False
    made = desk.resolve(order_id, now_of(account, now_ns))
    keep_desk(conn, account, desk, made)
    return bool(made)
