"""SQL of the brokerage: loading and storing accounts, orders, fences, books. Each function runs in the caller's
transaction; rules live in the domain, and what belongs together is composed in trading.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import tables as t
from brokerage.domain.fence import Fence, FenceState
from brokerage.domain.instrument import Instruments
from brokerage.domain.ledger import Position
from brokerage.domain.orders import OrderEvent, OrderRecord, Scope
from brokerage.rows import (
    Account,
    AnyRow,
    StoredOrder,
    account_of,
    account_values,
    event_of,
    fence_of,
    fence_values,
    head_values,
    order_of,
    position_of,
    record_of,
)
from brokerage.wire import OrderName
from qmtl.core.errors import NotFound
from qmtl.core.modes import EffectiveMode

ORDERS_SIGNAL = "orders"
Values = Mapping[str, str | int | bool | bytes | None]

_OF: sa.BindParameter[str] = sa.bindparam("of")
_ACCOUNT = sa.select(t.accounts).where(t.accounts.c.account == _OF)
_LOCKED_ACCOUNT = _ACCOUNT.with_for_update()
_SAVE_ACCOUNT = sa.update(t.accounts).where(t.accounts.c.account == _OF)
_OPEN = sa.select(t.orders).where(t.orders.c.account == _OF, t.orders.c.open).order_by(t.orders.c.created_sequence)
_POSITIONS = (
    sa.select(t.positions)
    .where(t.positions.c.account == _OF)
    .order_by(t.positions.c.world_id, t.positions.c.strategy_id, t.positions.c.symbol)
)
NAMES_OF_WORLD = sa.select(t.accounts.c.account).where(t.accounts.c.world_id == _OF)
_POSITIONS_OF_WORLD = sa.select(t.positions).where(t.positions.c.account.in_(NAMES_OF_WORLD))
_CASH = sa.select(t.cash).where(t.cash.c.account == _OF).order_by(t.cash.c.currency)
_FENCE = sa.select(t.world_fences).where(t.world_fences.c.world_id == _OF)
_LOCKED_FENCE = _FENCE.with_for_update(read=True)
_ADD_ORDER = sa.insert(t.orders)
_SAVE_ORDER = sa.update(t.orders).where(t.orders.c.order_id == _OF)
_ADD_EVENT = sa.insert(t.order_events)
_ADD_FILL = sa.insert(t.fills)

BARS_SIGNAL = "bars"
FENCES_SIGNAL = "fences"


def find_account(conn: Connection, name: str, *, lock: bool = False) -> Account | None:
    """An account, locked for this transaction if asked: whoever changes an account's book holds its row."""
    row = conn.execute(_LOCKED_ACCOUNT if lock else _ACCOUNT, {"of": name}).one_or_none()
    return None if row is None else account_of(row)


def account(conn: Connection, name: str, world_id: str = "", *, lock: bool = False) -> Account:
    """An account of a world (empty: of any). Raises NotFound (E_ACCOUNT_UNKNOWN)."""
    found = find_account(conn, name, lock=lock)
    if found is None or (world_id and found.world_id != world_id):
        where = f" in world {world_id}" if world_id else ""
        raise NotFound("E_ACCOUNT_UNKNOWN", f"no account {name}{where}", hint="open it with OpenPaperAccount")
    return found


def accounts(
    conn: Connection, preset: str | None = None, session: str | None = None, *, lock: bool = False
) -> list[Account]:
    """Accounts, all or those of one feed, in the order locks are taken."""
    query = sa.select(t.accounts).order_by(t.accounts.c.account)
    if preset is not None:
        query = query.where(t.accounts.c.data_preset == preset, t.accounts.c.data_session_id == (session or ""))
    return [account_of(row) for row in conn.execute(query.with_for_update() if lock else query)]


def accounts_of(conn: Connection, world_id: str, *, lock: bool = False) -> list[Account]:
    """Accounts of a world, in the order locks are taken."""
    query = sa.select(t.accounts).where(t.accounts.c.world_id == world_id).order_by(t.accounts.c.account)
    return [account_of(row) for row in conn.execute(query.with_for_update() if lock else query)]


def add_account(conn: Connection, new: Account) -> None:
    conn.execute(sa.insert(t.accounts).values(account_values(new)))
    conn.execute(sa.insert(t.cash).values(account=new.account, currency=new.base_currency, amount=new.starting_cash))


def save_account(conn: Connection, changed: Account) -> None:
    conn.execute(_SAVE_ACCOUNT, {"of": changed.account, **account_values(changed)})


def find_order(conn: Connection, name: OrderName, instruments: Instruments) -> StoredOrder | None:
    """One order with its history."""
    table, scope = t.orders.c, name.scope
    found = load_orders(
        conn,
        instruments,
        table.account == scope.account,
        table.world_id == scope.world_id,
        table.strategy_id == scope.strategy_id,
        table.client_order_id == name.client_order_id,
    )
    return found[0] if found else None


def order(conn: Connection, name: OrderName, instruments: Instruments) -> StoredOrder:
    """One order with its history. Raises NotFound (E_ORDER_UNKNOWN)."""
    found = find_order(conn, name, instruments)
    if found is None:
        raise NotFound("E_ORDER_UNKNOWN", f"no order {name.client_order_id} in account {name.scope.account}")
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


def load_positions(conn: Connection, account_name: str, strategy_id: str = "") -> list[tuple[Scope, str, Position]]:
    """Stored positions: whose, of which symbol, and the position."""
    rows = conn.execute(_POSITIONS, {"of": account_name})
    return [_held(row) for row in rows if strategy_id in ("", row.strategy_id)]


def positions_of_world(conn: Connection, world_id: str) -> list[tuple[Scope, str, Position]]:
    """Stored positions of all accounts of a world, in no order."""
    return [_held(row) for row in conn.execute(_POSITIONS_OF_WORLD, {"of": world_id})]


def _held(row: AnyRow) -> tuple[Scope, str, Position]:
    return Scope(row.account, row.world_id, row.strategy_id), row.symbol, position_of(row)


def save_position(conn: Connection, scope: Scope, symbol: str, position: Position) -> None:
    values = {
        "quantity": position.quantity,
        "cost": position.cost,
        "realised": position.realised,
        "fees": position.fees,
        "fills": position.fills,
    }
    key = {
        "account": scope.account,
        "world_id": scope.world_id,
        "strategy_id": scope.strategy_id,
        "symbol": symbol,
    }
    found = sa.and_(*(t.positions.c[name] == value for name, value in key.items()))
    if not conn.execute(sa.update(t.positions).where(found).values(values)).rowcount:
        conn.execute(sa.insert(t.positions).values(**key, **values))


def load_cash(conn: Connection, account_name: str) -> dict[str, int]:
    return {row.currency: row.amount for row in conn.execute(_CASH, {"of": account_name})}


def save_cash(conn: Connection, account_name: str, currency: str, amount: int) -> None:
    found = sa.and_(t.cash.c.account == account_name, t.cash.c.currency == currency)
    if not conn.execute(sa.update(t.cash).where(found).values(amount=amount)).rowcount:
        conn.execute(sa.insert(t.cash).values(account=account_name, currency=currency, amount=amount))


def load_fence(conn: Connection, world_id: str, *, lock: bool = False) -> tuple[Fence, int] | None:
    """The stored fence and when it was set. Locked, it cannot move until this transaction's intents are committed."""
    row = conn.execute(_LOCKED_FENCE if lock else _FENCE, {"of": world_id}).one_or_none()
    if row is None or not row.epoch:
        return None
    return fence_of(row), row.updated_ns


def hold_fence(conn: Connection, world_id: str) -> None:
    """Make sure a world has a row (epoch 0: unset) and lock it against everyone until this transaction ends."""
    values = {"world_id": world_id, "state": FenceState.FROZEN.value, "mode": EffectiveMode.VALIDATE.value}
    conn.execute(_UNSET_FENCE, values)
    conn.execute(sa.select(t.world_fences).where(t.world_fences.c.world_id == world_id).with_for_update())


_UNSET_FENCE = sa.text(
    "INSERT INTO world_fences (world_id, epoch, state, effective_mode, updated_ns) "
    "VALUES (:world_id, 0, :state, :mode, 0) ON CONFLICT (world_id) DO NOTHING"
)


def save_fence(conn: Connection, fence: Fence, now_ns: int) -> None:
    values = {**fence_values(fence), "updated_ns": now_ns}
    conn.execute(sa.update(t.world_fences).where(t.world_fences.c.world_id == fence.world_id).values(values))


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
        if strategy_id in ("", found[row.order_id].record.order.scope.strategy_id)
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


def audit(conn: Connection, now_ns: int, who: tuple[str, str], act: str, subject: str, detail: str) -> None:
    """Record who did what; `who` is the actor and the correlation id."""
    conn.execute(
        sa.insert(t.audit_log).values(
            at_ns=now_ns, actor=who[0], act=act, subject=subject, detail=detail, correlation_id=who[1]
        )
    )


def count_accounts(conn: Connection, world_id: str) -> int:
    """How many accounts a world has."""
    return int(conn.scalar(sa.select(sa.func.count()).where(t.accounts.c.world_id == world_id)) or 0)


def counts(conn: Connection) -> tuple[int, int, int]:
    """Open orders, accounts, and outbox rows that wait."""
    open_count = conn.execute(sa.select(sa.func.count()).select_from(t.orders).where(t.orders.c.open)).scalar_one()
    account_count = conn.execute(sa.select(sa.func.count()).select_from(t.accounts)).scalar_one()
    return open_count, account_count, t.outbox.backlog(conn).depth


def _chunks(ids: list[str], size: int = 500) -> Iterable[list[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
