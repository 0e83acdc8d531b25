"""What is heard of an order after its send: its answer, none, or the reply to a query."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.events import EventTime
from brokerage.domain.orders.order import OrderName
from brokerage.domain.orders.reports import VenueReport
from brokerage.domain.orders.states import EventKind, OrderState
from brokerage.domain.trading import reports
from brokerage.market.context import MarketContext
from brokerage.orders.journal import record_in
from brokerage.orders.working import load_orders
from brokerage.venues.paper import store as paper_store


def answer(conn: Connection, market: MarketContext, name: OrderName, order_id: str, now_ns: int) -> None:
    """Hear the venue's answer to an order that has arrived; an order never accepted here has none."""
    account = accounts_store.account(conn, name.owner.account, lock=True)
    _, book = load_orders(conn, market, account, name.owner, order_id)
    if order_id not in book.records:
        return
    answers = paper_store.arrivals(conn, account.account).answers(
        book, _time(account, book, order_id, now_ns).at_ns, now_ns
    )
    record_in(conn, account, book, reports.book_reports(book, answers))


def lose(conn: Connection, market: MarketContext, name: OrderName, order_id: str, now_ns: int) -> None:
    """No answer came in time: flag the outcome as unknown."""
    account = accounts_store.account(conn, name.owner.account, lock=True)
    _, book = load_orders(conn, market, account, name.owner, order_id)
    if order_id in book.records:
        record_in(conn, account, book, reports.lose(book, order_id, _time(account, book, order_id, now_ns)))


def resolve(conn: Connection, market: MarketContext, name: OrderName, found: VenueReport) -> bool:
    """Book what a query found of an unknown outcome; False if it is known by now. A cancel that waited is done."""
    account = accounts_store.account(conn, name.owner.account, lock=True)
    _, book = load_orders(conn, market, account, name.owner, found.order_id)
    record = book.records.get(found.order_id)
    if record is None or not record.on_the_wire:
        return False
    if record.state is OrderState.PENDING_CANCEL:
        found = replace(found, kind=EventKind.CANCELED)
    record_in(conn, account, book, [reports.book_report(book, found)])
    return True


def _time(account: Account, book: StrategyBook, order_id: str, now_ns: int) -> EventTime:
    return account.time(now_ns, book.record(order_id).order.symbol)
