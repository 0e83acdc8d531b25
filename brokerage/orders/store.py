"""Orders, their events and fills as rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import NETTED, NETTING, OrderName, Owner
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.stored import StoredOrder
from brokerage.orders.rows import event_of, head_values, order_of, record_of
from brokerage.schema import OF, AnyRow, Values
from qmtl.core.errors import NotFound
from qmtl.core.paging import Page
from qmtl.sql.statements.lists import bounded
from qmtl.sql.statements.prepared import Prepared

ORDERS_SIGNAL = "orders"

_OPEN = Prepared(
    sa.select(t.orders).where(t.orders.c.account == OF, t.orders.c.open).order_by(t.orders.c.created_sequence)
)
_EVENTS = sa.select(t.order_events).order_by(t.order_events.c.order_id, t.order_events.c.seq)
_EVENTS_OF = Prepared(_EVENTS.where(t.order_events.c.order_id.in_(sa.bindparam("ids", expanding=True))))
_NAMED = Prepared(
    sa.select(t.orders).where(
        t.orders.c.account == OF,
        t.orders.c.world_id == sa.bindparam("world"),
        t.orders.c.strategy_id == sa.bindparam("strategy"),
        t.orders.c.client_order_id == sa.bindparam("name"),
    )
)
_ADD_ORDER = Prepared(sa.insert(t.orders))
_SAVE_ORDER = Prepared(sa.update(t.orders).where(t.orders.c.order_id == OF))
_ADD_EVENT = Prepared(sa.insert(t.order_events))
_ADD_FILL = Prepared(sa.insert(t.fills))


@dataclass(frozen=True, slots=True)
class OrdersOf:
    """Whose orders of an account are meant: of a world or a strategy, or (empty) of all."""

    account: str
    world_id: str = ""
    strategy_id: str = ""

    def has(self, owner: Owner) -> bool:
        """Whether an owner's orders are meant."""
        return self.world_id in ("", owner.world_id) and self.strategy_id in ("", owner.strategy_id)


def find_order(conn: Connection, name: OrderName, instruments: Instruments) -> StoredOrder | None:
    """One order with its history."""
    return ask_order(conn, name)(instruments)


def ask_order(conn: Connection, name: OrderName) -> Callable[[Instruments], StoredOrder | None]:
    """As `find_order`, heard later."""
    owner = name.owner
    key = {"of": owner.account, "world": owner.world_id, "strategy": owner.strategy_id, "name": name.client_order_id}
    head = _NAMED.ask(conn, key)

    def found(instruments: Instruments) -> StoredOrder | None:
        row = head.rows().one_or_none()
        return _with_histories(conn, instruments, [row])[0] if row is not None else None

    return found


def order(conn: Connection, name: OrderName, instruments: Instruments) -> StoredOrder:
    """One order with its history. Raises NotFound (E_ORDER_UNKNOWN)."""
    found = find_order(conn, name, instruments)
    if found is None:
        raise NotFound("E_ORDER_UNKNOWN", f"no order {name.client_order_id} in account {name.owner.account}")
    return found


def load_orders(conn: Connection, instruments: Instruments, *where: sa.ColumnElement[bool]) -> list[StoredOrder]:
    """Orders with their histories, in the order they were taken."""
    rows = conn.execute(sa.select(t.orders).where(*where).order_by(t.orders.c.created_sequence)).all()
    return _with_histories(conn, instruments, rows)


def _with_histories(conn: Connection, instruments: Instruments, rows: Sequence[AnyRow]) -> list[StoredOrder]:
    histories: dict[str, list[OrderEvent]] = {row.order_id: [] for row in rows}
    for chunk in _chunks(list(histories)):
        for event in _EVENTS_OF.rows(conn, {"ids": chunk}):
            histories[event.order_id].append(event_of(event))
    return [order_of(row, histories[row.order_id], instruments) for row in rows]


def open_records(conn: Connection, instruments: Instruments, account_name: str) -> list[OrderRecord]:
    """Open orders as their heads keep them, without their histories, in the order they were taken."""
    return [record_of(row, instruments) for row in _OPEN.rows(conn, {"of": account_name})]


def records(conn: Connection, instruments: Instruments, order_ids: Sequence[str]) -> list[OrderRecord]:
    """These orders as their heads keep them."""
    if not order_ids:
        return []
    query = sa.select(t.orders).where(t.orders.c.order_id.in_(order_ids))
    return [record_of(row, instruments) for row in conn.execute(query)]


def netted_since(conn: Connection, record: OrderRecord) -> int:
    """What reducing shares of netted orders have traded for an order's owner, on its side, since it was taken."""
    order, table = record.order, t.orders.c
    taken = sa.select(table.created_sequence).where(table.order_id == record.id).scalar_subquery()
    where = (
        *(table.account == order.owner.account, table.world_id == order.owner.world_id),
        *(table.strategy_id == order.owner.strategy_id, table.symbol == order.symbol, table.side == order.side.value),
        *(table.reduce_only, table.tags.contains(f'"{NETTED}"'), table.created_sequence > taken),
    )
    return int(conn.scalar(sa.select(sa.func.sum(table.filled)).where(*where)) or 0)


def records_of_lists(
    conn: Connection, instruments: Instruments, account_name: str, list_ids: Collection[str]
) -> list[OrderRecord]:
    """The orders of these list names in an account, whoever's, in the order they were taken."""
    heads, found = t.orders.c, list[AnyRow]()
    for part in bounded(list_ids):
        named = sa.select(t.orders).where(heads.account == account_name, heads.list_id.in_(part), heads.list_id != "")
        found += conn.execute(named)
    return [record_of(row, instruments) for row in sorted(found, key=lambda row: row.created_sequence)]


def symbol_of(conn: Connection, order_id: str) -> str:
    """The symbol of an order."""
    found: str = conn.execute(sa.select(t.orders.c.symbol).where(t.orders.c.order_id == order_id)).scalar_one()
    return found


def open_orders(conn: Connection, instruments: Instruments, account_name: str) -> list[StoredOrder]:
    """Open orders of an account with their histories, in the order they were taken."""
    return load_orders(conn, instruments, t.orders.c.account == account_name, t.orders.c.open)


def page_of_orders(
    conn: Connection, instruments: Instruments, of: OrdersOf, page: Page[tuple[int]], symbol: str, open_only: bool
) -> list[tuple[StoredOrder, int]]:
    """Orders newest first, one more than the page shows, each with its place in the order of taking."""
    table = t.orders.c
    where = [table.account == of.account]
    for column, value in ((table.world_id, of.world_id), (table.strategy_id, of.strategy_id), (table.symbol, symbol)):
        if value:
            where.append(column == value)
    if open_only:
        where.append(table.open)
    if page.after is not None:
        where.append(table.created_sequence < page.after[0])
    query = sa.select(table.order_id, table.created_sequence).where(*where)
    rows = conn.execute(query.order_by(table.created_sequence.desc()).limit(page.size + 1)).all()
    found = _orders_by_id(conn, instruments, {row.order_id for row in rows})
    return [(found[row.order_id], row.created_sequence) for row in rows]


def add_order(conn: Connection, values: Values) -> None:
    """Store a new order's head."""
    _ADD_ORDER.send(conn, values)


def save_order(conn: Connection, record: OrderRecord) -> None:
    """Bring an order's head to the fold of its events."""
    _SAVE_ORDER.send(conn, {"of": record.id, **head_values(record)})


def add_events(conn: Connection, rows: Sequence[Values]) -> None:
    """Append events."""
    _ADD_EVENT.send_each(conn, rows)


def add_fills(conn: Connection, rows: Sequence[Values]) -> None:
    """Append fills."""
    _ADD_FILL.send_each(conn, rows)


@dataclass(frozen=True, slots=True)
class ReplaceAsked:
    """A replace that was asked for, and what refused it."""

    change: str
    refusal: Refusal | None


def replace_asked(conn: Connection, order_id: str, request_id: str) -> ReplaceAsked | None:
    """The replace of an order that a request asked for."""
    table = t.order_replaces.c
    query = sa.select(t.order_replaces).where(table.order_id == order_id, table.request_id == request_id)
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    return ReplaceAsked(row.change, Refusal(Denial(row.denial), row.message) if row.denial else None)


def add_replace(conn: Connection, order_id: str, request_id: str, change: str, refusal: Refusal | None) -> None:
    """Remember what a request asked for and how it was answered."""
    values = {
        "order_id": order_id,
        "request_id": request_id,
        "change": change,
        "denial": refusal.denial.value if refusal else "",
        "message": refusal.message if refusal else "",
    }
    conn.execute(sa.insert(t.order_replaces).values(values))


def events_after(
    conn: Connection, of: OrdersOf, sequence: int, limit: int, instruments: Instruments
) -> tuple[list[tuple[StoredOrder, OrderEvent, int]], int]:
    """The next events of an account, of the owners asked for, and the sequence read up to."""
    table = t.order_events
    query = sa.select(table).where(table.c.account == of.account, table.c.sequence > sequence)
    rows = conn.execute(query.order_by(table.c.sequence).limit(limit)).all()
    if not rows:
        return [], sequence
    found = _orders_by_id(conn, instruments, {row.order_id for row in rows})
    wanted = [
        (found[row.order_id], event_of(row), row.sequence)
        for row in rows
        if of.has(found[row.order_id].record.order.owner)
    ]
    return wanted, rows[-1].sequence


def fills_after(
    conn: Connection, of: OrdersOf, sequence: int, limit: int, instruments: Instruments
) -> list[tuple[StoredOrder, OrderEvent, int]]:
    """Fills of an account above a sequence, of the owners asked for. Those of netted orders are told as what they
    brought their shares.
    """
    fills, events = t.fills, t.order_events
    query = (
        sa.select(events, fills.c.sequence.label("fill_sequence"))
        .join(fills, sa.and_(fills.c.order_id == events.c.order_id, fills.c.seq == events.c.seq))
        .where(fills.c.account == of.account, fills.c.sequence > sequence, fills.c.strategy_id != NETTING)
        .order_by(fills.c.sequence)
        .limit(limit)
    )
    if of.world_id:
        query = query.where(fills.c.world_id == of.world_id)
    if of.strategy_id:
        query = query.where(fills.c.strategy_id == of.strategy_id)
    rows = conn.execute(query).all()
    found = _orders_by_id(conn, instruments, {row.order_id for row in rows})
    return [(found[row.order_id], event_of(row), row.fill_sequence) for row in rows]


def _orders_by_id(conn: Connection, instruments: Instruments, ids: set[str]) -> dict[str, StoredOrder]:
    found: dict[str, StoredOrder] = {}
    for chunk in _chunks(sorted(ids)):
        for stored in load_orders(conn, instruments, t.orders.c.order_id.in_(chunk)):
            found[stored.record.id] = stored
    return found


def _chunks(ids: list[str], size: int = 500) -> Iterable[list[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
