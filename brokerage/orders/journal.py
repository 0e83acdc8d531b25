"""The only writer of order events: stores what happened to orders together with the books it changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from brokerage import schema
from brokerage.accounts import cash
from brokerage.accounts import store as accounts_store
from brokerage.books.load import around, beside, desk_of, empty_desk, summed_desks
from brokerage.books.post import save_books, save_totals
from brokerage.domain.accounts.account import Account, TradingState
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Order, Owner
from brokerage.domain.trading.commands import Desk
from brokerage.fences import intents
from brokerage.market.context import MarketContext
from brokerage.orders import store
from brokerage.orders.events import publish
from brokerage.orders.rows import event_values
from brokerage.venues.paper import store as paper_store
from qmtl.sql.database import signal


def open_desk(
    conn: Connection,
    house: MarketContext,
    account: Account,
    scope: Owner,
    *order_ids: str,
    world: Sequence[Account] | None = None,
) -> Desk:
    """One strategy's desk with the orders named, which may commit what the account has and the others leave free.

    The rest of the account is there as sums only, so the cost does not grow with the number of open orders. Without the
    accounts of its `world`, whose rows the caller has locked, the rest of the world is not known.
    """
    desks = summed_desks(conn, house, account)
    desk = desks.pop(scope, None) or empty_desk(house, account)
    desk.recall(store.records(conn, house.instruments, order_ids))
    _hear(conn, account, [desk])
    desk.free_elsewhere = cash.load_cash(conn, account.account)
    desk.around = around(house, account, desks, desk.free_elsewhere.get(account.base_currency, 0))
    if world is not None:
        desk.around = replace(desk.around, world=beside(conn, house, account, world))
    for other in desks.values():
        for currency in desk.free_elsewhere:
            desk.free_elsewhere[currency] += other.free(currency)
    return desk


def load_desks(conn: Connection, house: MarketContext, account: Account) -> dict[Owner, Desk]:
    """A desk per strategy with positions or open orders. Their cash starts at 0: it ends as what moved."""
    desks = summed_desks(conn, house, account)
    for record in store.open_records(conn, house.instruments, account.account):
        desk_of(desks, house, account, record.order.scope).recall([record])
    _hear(conn, account, desks.values())
    return desks


def _hear(conn: Connection, account: Account, desks: Iterable[Desk]) -> None:
    """Tell desks with orders on the wire which of them the venue has."""
    unheard = [desk for desk in desks if any(record.on_the_wire for record in desk.open_orders())]
    arrived = paper_store.arrivals(conn, account.account) if unheard else {}
    for desk in unheard:
        desk.arrivals = {order_id: arrival for order_id, arrival in arrived.items() if order_id in desk.records}


def keep(conn: Connection, account: Account, done: Sequence[tuple[Desk, OrderEvent]], new: str = "") -> Account:
    """Store events in order with the books they changed, and queue them for ORDERS and FILLS.

    `new` is an order whose head was stored with its events just now.
    """
    rows: list[schema.Values] = []
    filled: list[schema.Values] = []
    for desk, event in done:
        record = desk.records[event.order_id]
        sequence = account.event_sequence + len(rows) + 1
        rows.append(event_values(account.account, sequence, event))
        if event.fill is not None:
            filled.append(_fill_values(record.order, event, account.fill_sequence + len(filled) + 1))
        publish(conn, record.order, record.instrument, event, sequence, account.fill_sequence + len(filled))
    store.add_events(conn, rows)
    store.add_fills(conn, filled)
    for record in {event.order_id: desk.records[event.order_id] for desk, event in done}.values():
        if record.id != new:
            store.save_order(conn, record)
    if filled:
        save_books(conn, account, done)
    heard = {event.order_id for desk, event in done if event.order_id in desk.heard}
    if heard:
        intents.answered(conn, heard, done[-1][1].received_ns)
    save_totals(conn, done)
    flagged = any(event.flag is not None for _, event in done)
    reached = account.event_sequence + len(rows)
    changed = replace(
        account,
        event_sequence=reached,
        valued_sequence=reached if done else account.valued_sequence,
        fill_sequence=account.fill_sequence + len(filled),
        trading_state=TradingState.REDUCING if flagged else account.trading_state,
    )
    accounts_store.save_account(conn, changed)
    signal(conn, store.ORDERS_SIGNAL)
    return changed


def _fill_values(order: Order, event: OrderEvent, sequence: int) -> schema.Values:
    return {
        "account": order.scope.account,
        "sequence": sequence,
        "venue": order.venue,
        "trade_id": event.fill.trade_id if event.fill else "",
        "world_id": order.scope.world_id,
        "strategy_id": order.scope.strategy_id,
        "order_id": event.order_id,
        "seq": event.seq,
    }


def keep_desk(conn: Connection, account: Account, desk: Desk, made: Sequence[OrderEvent]) -> None:
    if made:
        keep(conn, account, [(desk, event) for event in made])
