"""The only writer of order events: stores what happened to orders together with the books it changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import Connection

from brokerage import schema
from brokerage.accounts import store as accounts_store
from brokerage.books.post import Done, save_books, save_totals
from brokerage.domain.accounts.account import Account, TradingState
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Order
from brokerage.domain.orders.reports import VenueAct
from brokerage.domain.orders.states import EventKind
from brokerage.fences import intents
from brokerage.orders import store
from brokerage.orders.events import Happened, messages
from brokerage.orders.rows import event_values, new_values
from qmtl.sql.database import signal


def record(conn: Connection, account: Account, done: Done, new: Collection[str] = ()) -> Account:
    """Store events in order with the books they changed, and queue them for ORDERS and FILLS.

    `new` are orders whose heads were stored with their events just now. Those that a netted order brought its shares
    are stored here.
    """
    rows: list[schema.Values] = []
    filled: list[schema.Values] = []
    told: list[Happened] = []
    for book, event in done:
        order = book.records[event.order_id]
        sequence = account.event_sequence + len(rows) + 1
        rows.append(event_values(account.account, sequence, event))
        if event.fill is not None:
            filled.append(_fill_values(order.order, event, account.fill_sequence + len(filled) + 1))
        told.append((order.order, order.instrument, event, sequence, account.fill_sequence + len(filled)))
    store.add_events(conn, rows)
    store.add_fills(conn, filled)
    schema.outbox.append_raw(conn, messages(told))
    born = {row["order_id"]: row["sequence"] for row in rows if row["seq"] == 1}
    for order in {event.order_id: book.records[event.order_id] for book, event in done}.values():
        if order.id in born and order.id not in new:
            store.add_order(conn, {**new_values(order), "created_sequence": born[order.id]})
        elif order.id not in new:
            store.save_order(conn, order)
    if filled:
        save_books(conn, account, done)
    _settle_intents(conn, done, new)
    save_totals(conn, done)
    narrows = account.trading_state is TradingState.ACTIVE and any(event.flag is not None for _, event in done)
    changed = replace(
        account,
        event_sequence=account.event_sequence + len(rows),
        fill_sequence=account.fill_sequence + len(filled),
        trading_state=TradingState.REDUCING if narrows else account.trading_state,
    )
    accounts_store.save_account(conn, changed)
    signal(conn, store.ORDERS_SIGNAL)
    return changed


def _settle_intents(conn: Connection, done: Done, new: Collection[str]) -> None:
    """Of what was sent, the outcomes that events tell: all of an order that ended, else of the act they answer."""
    known: dict[VenueAct | None, set[str]] = {}
    for book, event in done:
        record, act = book.records[event.order_id], _ANSWERS.get(event.kind)
        if record.closed:
            if record.id not in new:
                known.setdefault(None, set()).add(record.id)
        elif event.order_id in book.heard:
            known.setdefault(VenueAct.SUBMIT, set()).add(record.id)
        if act is VenueAct.CANCEL or (act is VenueAct.REPLACE and record.wanted is None and record.replaces):
            known.setdefault(act, set()).add(record.id)
    for answered, order_ids in known.items():
        intents.answered(conn, order_ids, done[-1][1].received_ns, answered)


_ANSWERS = {
    EventKind.UPDATED: VenueAct.REPLACE,
    EventKind.MODIFY_REJECTED: VenueAct.REPLACE,
    EventKind.CANCEL_REJECTED: VenueAct.CANCEL,
}


def _fill_values(order: Order, event: OrderEvent, sequence: int) -> schema.Values:
    return {
        "account": order.owner.account,
        "sequence": sequence,
        "venue": order.venue,
        "symbol": order.symbol,
        "trade_id": event.fill.trade_id if event.fill else "",
        "world_id": order.owner.world_id,
        "strategy_id": order.owner.strategy_id,
        "order_id": event.order_id,
        "seq": event.seq,
    }
