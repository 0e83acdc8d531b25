"""Orders, their events and fills as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import OrderName
from brokerage.domain.orders.record import OrderRecord
from brokerage.orders.rows import StoredOrder, event_of, head_values, order_of, record_of
from brokerage.schema import OF, Values
from qmtl.core.errors import NotFound

ORDERS_SIGNAL = "orders"

_OPEN = sa.select(t.orders).where(t.orders.c.account == OF, t.orders.c.open).order_by(t.orders.c.created_sequence)
_ADD_ORDER = sa.insert(t.orders)
_SAVE_ORDER = sa.update(t.orders).where(t.orders.c.order_id == OF)
_ADD_EVENT = sa.insert(t.order_events)
_ADD_FILL = sa.insert(t.fills)


def find_order(conn: Connection, name: OrderName, instruments: Instruments) -> StoredOrder | None:
    """One order with its history."""
    table, owner = t.orders.c, name.owner
    found = load_orders(
        conn,
        instruments,
        table.account == owner.account,
        table.world_id == owner.world_id,
        table.strategy_id == owner.strategy_id,
        table.client_order_id == name.client_order_id,
    )
    return found[0] if found else None


def order(conn: Connection, name: OrderName, instruments: Instruments) -> StoredOrder:
    """One order with its history. Raises NotFound (E_ORDER_UNKNOWN)."""
    found = find_order(conn, name, instruments)
    if found is None:
        raise NotFound("E_ORDER_UNKNOWN", f"no order {name.client_order_id} in account {name.owner.account}")
    return found


def load_orders(
    conn: Connection, instruments: Instruments, *where: sa.ColumnElement[bool], limit: int = 0, newest: bool = False
) -> list[StoredOrder]:
    """Orders with their histories, in the order they were taken or newest first."""
    created = t.orders.c.created_sequence
    query = sa.select(t.orders).where(*where).order_by(created.desc() if newest else created)
    rows = conn.execute(query.limit(limit) if limit else query).all()
    histories: dict[str, list[OrderEvent]] = {row.order_id: [] for row in rows}
    for chunk in _chunks(list(histories)):
        events = sa.select(t.order_events).where(t.order_events.c.order_id.in_(chunk))
        for event in conn.execute(events.order_by(t.order_events.c.order_id, t.order_events.c.seq)):
            histories[event.order_id].append(event_of(event))
    return [order_of(row, histories[row.order_id], instruments) for row in rows]


def open_records(conn: Connection, instruments: Instruments, account_name: str) -> list[OrderRecord]:
    """Open orders as their heads keep them, without their histories, in the order they were taken."""
    return [record_of(row, instruments) for row in conn.execute(_OPEN, {"of": account_name})]


def records(conn: Connection, instruments: Instruments, order_ids: Sequence[str]) -> list[OrderRecord]:
    """These orders as their heads keep them."""
    if not order_ids:
        return []
    query = sa.select(t.orders).where(t.orders.c.order_id.in_(order_ids))
    return [record_of(row, instruments) for row in conn.execute(query)]


def open_orders(conn: Connection, instruments: Instruments, account_name: str) -> list[StoredOrder]:
    return load_orders(conn, instruments, t.orders.c.account == account_name, t.orders.c.open)


def add_order(conn: Connection, values: Values) -> None:
    conn.execute(_ADD_ORDER, values)


def save_order(conn: Connection, record: OrderRecord) -> None:
    """Bring an order's head to the fold of its events."""
    conn.execute(_SAVE_ORDER, {"of": record.id, **head_values(record)})


def add_events(conn: Connection, rows: Sequence[Values]) -> None:
    if rows:
        conn.execute(_ADD_EVENT, rows)


def add_fills(conn: Connection, rows: Sequence[Values]) -> None:
    if rows:
        conn.execute(_ADD_FILL, rows)


def events_after(
    conn: Connection, account_name: str, sequence: int, strategy_id: str, limit: int, instruments: Instruments
) -> tuple[list[tuple[StoredOrder, OrderEvent, int]], int]:
    """The account's next events, of all strategies or one, and the sequence read up to."""
    table = t.order_events
    query = sa.select(table).where(table.c.account == account_name, table.c.sequence > sequence)
    rows = conn.execute(query.order_by(table.c.sequence).limit(limit)).all()
    if not rows:
        return [], sequence
    found: dict[str, StoredOrder] = {}
    for chunk in _chunks(sorted({row.order_id for row in rows})):
        for stored in load_orders(conn, instruments, t.orders.c.order_id.in_(chunk)):
            found[stored.record.id] = stored
    wanted = [
        (found[row.order_id], event_of(row), row.sequence)
        for row in rows
        if strategy_id in ("", found[row.order_id].record.order.owner.strategy_id)
    ]
    return wanted, rows[-1].sequence


def fills_after(
    conn: Connection, account_name: str, strategy_id: str, sequence: int, limit: int, instruments: Instruments
) -> list[tuple[StoredOrder, OrderEvent, int]]:
    """The account's fills above a sequence, of all strategies or one."""
    fills, events = t.fills, t.order_events
    query = (
        sa.select(events, fills.c.sequence.label("fill_sequence"))
        .join(fills, sa.and_(fills.c.order_id == events.c.order_id, fills.c.seq == events.c.seq))
        .where(fills.c.account == account_name, fills.c.sequence > sequence)
        .order_by(fills.c.sequence)
        .limit(limit)
    )
    if strategy_id:
        query = query.where(fills.c.strategy_id == strategy_id)
    rows = conn.execute(query).all()
    found: dict[str, StoredOrder] = {}
    for chunk in _chunks(sorted({row.order_id for row in rows})):
        for stored in load_orders(conn, instruments, t.orders.c.order_id.in_(chunk)):
            found[stored.record.id] = stored
    return [(found[row.order_id], event_of(row), row.fill_sequence) for row in rows]


def _chunks(ids: list[str], size: int = 500) -> Iterable[list[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
