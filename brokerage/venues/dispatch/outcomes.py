"""What is heard of an order after its send: its answer, none, or the reply to a query."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.events import EventTime
from brokerage.domain.orders.order import OrderName
from brokerage.domain.orders.reports import VenueAct, VenueAnswer, VenueReport
from brokerage.domain.orders.states import EventKind, OrderState
from brokerage.domain.orders.venue_order import VenueOrder, order_at_venue, replacement_of
from brokerage.domain.trading import reports
from brokerage.fences import intents
from brokerage.market.context import MarketContext
from brokerage.orders import store
from brokerage.orders.entry.contingencies import record_in
from brokerage.orders.working import load_orders
from brokerage.venues.paper import store as paper_store

NOT_REPLACED = "NOT_REPLACED: it works on as it was; the replace never came"


def answer(conn: Connection, market: MarketContext, name: OrderName, order_id: str, now_ns: int) -> None:
    """Hear the venue's answer to an order that has arrived; an order never accepted here has none."""
    account = accounts_store.account(conn, name.owner.account, lock=True)
    view, book = load_orders(conn, market, account, name.owner, order_id)
    if order_id not in book.records:
        return
    answers = paper_store.arrivals(conn, account.account).answers(
        book, _time(account, book, order_id, now_ns).at_ns, now_ns
    )
    record_in(conn, market, account, (view, book), reports.book_reports(book, answers))


def heard(
    conn: Connection,
    market: MarketContext,
    name: OrderName,
    order_id: str,
    act: VenueAct,
    answer: VenueAnswer,
    now_ns: int,
) -> None:
    """Book a venue's answer to an act, if its outcome is not known yet."""
    account = accounts_store.account(conn, name.owner.account, lock=True)
    view, book = load_orders(conn, market, account, name.owner, order_id)
    if order_id not in book.records or intents.unanswered(conn, order_id, act) is None:
        return
    time = _time(account, book, order_id, now_ns)
    if answer.at_ns:
        time = EventTime(answer.at_ns, now_ns)
    record_in(
        conn,
        market,
        account,
        (view, book),
        reports.book_reports(book, reports.answers(book.record(order_id), act, answer, time)),
    )


def lose(
    conn: Connection,
    market: MarketContext,
    name: OrderName,
    order_id: str,
    now_ns: int,
    act: VenueAct = VenueAct.SUBMIT,
) -> None:
    """No answer to an act came in time: flag the outcome as unknown."""
    account = accounts_store.account(conn, name.owner.account, lock=True)
    view, book = load_orders(conn, market, account, name.owner, order_id)
    if order_id in book.records:
        record_in(
            conn,
            market,
            account,
            (view, book),
            reports.lose(book, order_id, _time(account, book, order_id, now_ns), act),
        )


def resolve(
    conn: Connection, market: MarketContext, name: OrderName, found: VenueReport, act: VenueAct = VenueAct.SUBMIT
) -> bool:
    """Book what a query found of an unknown outcome; False if it is known by now.

    A cancel of what works on goes once more: that the venue has been asked makes it no blind repeat. A replace of what
    works on under its old id is refused.
    """
    account = accounts_store.account(conn, name.owner.account, lock=True)
    view, book = load_orders(conn, market, account, name.owner, found.order_id)
    record = book.records.get(found.order_id)
    if record is None or record.closed or intents.unanswered(conn, record.id, act) is None:
        return False
    if act is VenueAct.SUBMIT and not record.on_the_wire:
        return False
    works = found.kind is EventKind.ACCEPTED
    if works and act is VenueAct.CANCEL:
        intents.send_again(conn, record.id, act)
        return True
    if works and act is VenueAct.REPLACE:
        found = replace(found, kind=EventKind.MODIFY_REJECTED, reason=NOT_REPLACED)
    if found.kind is EventKind.FILLED:
        return False  # its fills tell, not a summary
    if not works and reports.lacks_fills(record, found.filled):
        return False
    pending = works and act is VenueAct.SUBMIT and record.state is OrderState.PENDING_CANCEL
    made = reports.book_found(book, found)
    if pending:
        made.append(reports.book_report(book, replace(found, kind=EventKind.PENDING_CANCEL, reason="")))
    record_in(conn, market, account, (view, book), made)
    return True


def orders_at_venue(
    conn: Connection, market: MarketContext, order_id: str, length_max: int
) -> tuple[VenueOrder | None, VenueOrder | None]:
    """An order as it works, and as a pending replace wants it."""
    for record in store.records(conn, market.instruments, [order_id]):
        return order_at_venue(record, length_max), replacement_of(record, length_max)
    return None, None


def _time(account: Account, book: StrategyBook, order_id: str, now_ns: int) -> EventTime:
    return account.time(now_ns, book.record(order_id).order.symbol)
