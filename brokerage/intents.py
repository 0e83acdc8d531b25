"""SQL of send-intents and of the paper venue's own memory: what was to be sent, what is on the wire, what arrived.

An intent is written in the transaction that checks the fence. `wire_ns` is set by the second check, just before the
send; `answered_ns` when the outcome is known. What has the first and not the second is on the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import tables as t
from brokerage.domain.link import Arrival
from brokerage.domain.orders import OrderRecord, Scope
from brokerage.domain.states import EventKind, OrderState
from brokerage.rows import AnyRow
from brokerage.wire import OrderName
from controlbus.database import signal

WIRE_SIGNAL = "wire"

_INTENT = t.send_intents.c
_WRITE = sa.insert(t.send_intents)
_UNANSWERED = _INTENT.answered_ns.is_(None)


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent whose outcome is not known, with what tells how long to wait for it."""

    name: OrderName
    order_id: str
    epoch: int
    wire_ns: int | None
    unresolved_ns: int | None  # since when the outcome is unknown
    arrival: Arrival | None
    data_ns: int | None  # where the account's replay stands; None on a live feed


def write(conn: Connection, record: OrderRecord, epoch: int, at_ns: int) -> None:
    """Write the intent of an order. A direct link answers in this commit, so its outcome is known at once."""
    scope, known = record.order.scope, at_ns if record.acknowledged else None
    values = {
        "order_id": record.id,
        "account": scope.account,
        "world_id": scope.world_id,
        "strategy_id": scope.strategy_id,
        "client_order_id": record.order.client_order_id,
        "venue_order_id": record.id,
        "epoch": epoch,
        "sent_ns": at_ns,
        "wire_ns": known,
        "answered_ns": known,
    }
    conn.execute(_WRITE, values)
    if known is None:
        signal(conn, WIRE_SIGNAL)


def put_on_the_wire(conn: Connection, order_id: str, epoch: int, now_ns: int) -> None:
    """The last step before the send: from here on the outcome is unknown until the venue has been heard."""
    found = sa.update(t.send_intents).where(_INTENT.order_id == order_id)
    conn.execute(found.values(epoch=epoch, wire_ns=now_ns))


def answered(conn: Connection, order_ids: Iterable[str], now_ns: int) -> None:
    """The outcome of these orders is known."""
    ids = sorted(order_ids)
    conn.execute(sa.update(t.send_intents).where(_INTENT.order_id.in_(ids), _UNANSWERED).values(answered_ns=now_ns))


def unanswered(conn: Connection, order_id: str) -> AnyRow | None:
    """The intent of an order, if its outcome is not known."""
    return conn.execute(sa.select(t.send_intents).where(_INTENT.order_id == order_id, _UNANSWERED)).one_or_none()


def on_the_wire(conn: Connection, world_id: str) -> Sequence[AnyRow]:
    """Intents of a world that were sent and whose outcome is not known."""
    query = sa.select(t.send_intents).where(_INTENT.world_id == world_id, _UNANSWERED, _INTENT.wire_ns.is_not(None))
    return conn.execute(query.order_by(_INTENT.sent_ns, _INTENT.order_id)).all()


def waiting(conn: Connection) -> list[Intent]:
    """Every intent whose outcome is not known, oldest first."""
    heads, venue, accounts = t.orders.c, t.venue_orders.c, t.accounts.c
    query = (
        sa.select(
            t.send_intents,
            heads.unresolved,
            heads.updated_ns,
            venue.arrives_ns,
            venue.answer_lost,
            accounts.venue_ns,
            accounts.data_session_id,
        )
        .join(t.orders, heads.order_id == _INTENT.order_id)
        .join(t.accounts, accounts.account == _INTENT.account)
        .outerjoin(t.venue_orders, venue.venue_order_id == _INTENT.venue_order_id)
        .where(_UNANSWERED)
        .order_by(_INTENT.sent_ns, _INTENT.order_id)
    )
    return [_intent_of(row) for row in conn.execute(query)]


def _intent_of(row: AnyRow) -> Intent:
    return Intent(
        name=OrderName(Scope(row.account, row.world_id, row.strategy_id), row.client_order_id),
        order_id=row.order_id,
        epoch=row.epoch,
        wire_ns=row.wire_ns,
        unresolved_ns=row.updated_ns if row.unresolved else None,
        arrival=None if row.arrives_ns is None else Arrival(row.arrives_ns, row.answer_lost),
        data_ns=row.venue_ns if row.data_session_id else None,
    )


def arrivals(conn: Connection, account_name: str) -> dict[str, Arrival]:
    """What the venue has of an account's orders whose outcome is not known here."""
    venue = t.venue_orders.c
    query = (
        sa.select(t.venue_orders)
        .join(t.send_intents, _INTENT.venue_order_id == venue.venue_order_id)
        .where(venue.account == account_name, _UNANSWERED)
    )
    return {row.venue_order_id: Arrival(row.arrives_ns, row.answer_lost) for row in conn.execute(query)}


def add_arrival(conn: Connection, order_id: str, account_name: str, arrival: Arrival) -> None:
    """The venue has the order. Once: a repeat changes nothing."""
    found = sa.select(t.venue_orders).where(t.venue_orders.c.venue_order_id == order_id)
    if conn.execute(found).one_or_none() is None:
        values = {"account": account_name, "arrives_ns": arrival.at_ns, "answer_lost": arrival.answer_lost}
        conn.execute(sa.insert(t.venue_orders).values(venue_order_id=order_id, **values))


def released_ns(conn: Connection, order_id: str) -> int:
    """The data time at which an order was last let go."""
    events = t.order_events.c
    query = sa.select(events.at_ns).where(events.order_id == order_id, events.kind == EventKind.RELEASED.value)
    found: int = conn.execute(query.order_by(events.seq.desc()).limit(1)).scalar_one()
    return found


def accounts_with_stops(conn: Connection) -> list[str]:
    """Accounts in which an emulated stop is watched."""
    heads = t.orders.c
    query = sa.select(heads.account).where(heads.open, heads.state == OrderState.EMULATED.value)
    return list(conn.execute(query.distinct().order_by(heads.account)).scalars())
