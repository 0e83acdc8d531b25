"""Cancels orders. Passes every fence."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Order, OrderName
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.trading.commands import cancel
from brokerage.fences import intents
from brokerage.market.context import MarketContext
from brokerage.orders import journal, store
from brokerage.orders.entry.contingencies import record_in, settle_lists
from brokerage.orders.working import load_open_orders, load_orders


def cancel_order(conn: Connection, market: MarketContext, name: OrderName, now_ns: int) -> StoredOrder:
    """Cancel an order if it is open. Passes every fence. Raises NotFound (E_ORDER_UNKNOWN)."""
    account = accounts_store.find_account(conn, name.owner.account, lock=True)
    known = store.order(conn, name, market.instruments)
    if account is None or known.record.closed:
        return known
    market = market.of(account)
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
    """Cancel every open order of an account, or of one world or strategy in it, in one transaction. A netted order with
    a share of theirs is cancelled as a whole: nobody nets the rest again.
    """
    account = accounts_store.account(conn, of.account, lock=True)
    known = [one for one in store.open_orders(conn, market.instruments, of.account) if _is_meant(of, one.order)]
    view, made = load_open_orders(conn, market, account), dict[str, OrderEvent]()
    done: list[tuple[StrategyBook, OrderEvent]] = []
    for stored in known:
        book, time = view.book(stored.order.owner), account.time(now_ns, stored.order.symbol)
        event = cancel(book, stored.record.id, time, direct=market.link.direct)
        if event is not None:
            made[stored.record.id] = event
            done.append((book, event))
            if event.kind is EventKind.PENDING_CANCEL:
                intents.write_cancel(conn, book.record(stored.record.id), now_ns)
    for book in {id(book): book for book, _ in done}.values():
        settled = settle_lists(conn, market, account, view, book, account.time(now_ns, ""))
        done += [(book, event) for event in settled]
    if done:
        journal.record(conn, account, done)
    return [_after(stored, made.get(stored.record.id), view.book(stored.order.owner)) for stored in known]


def _is_meant(of: store.OrdersOf, order: Order) -> bool:
    return of.has(order.owner) or any(of.has(share.owner(of.account)) for share in order.shares)


def _after(stored: StoredOrder, event: OrderEvent | None, book: StrategyBook) -> StoredOrder:
    if event is None:
        return stored
    return StoredOrder(stored.order, stored.epoch, (*stored.events, event), book.record(stored.record.id))
