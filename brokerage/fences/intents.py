"""Send-intents as rows: what was to be sent, what is on the wire, what is answered.

An intent is written in the transaction that checks the fence. `wire_ns` is set by the second check, just before the
send; `answered_ns` when the outcome is known. What has the first and not the second is on the wire.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.risk.fence import WireIntent
from brokerage.schema import AnyRow
from qmtl.sql.database import signal
from qmtl.sql.prepared import Prepared

WIRE_SIGNAL = "wire"

INTENT = t.send_intents.c
_WRITE = Prepared(sa.insert(t.send_intents))
UNANSWERED = INTENT.answered_ns.is_(None)


def write(conn: Connection, record: OrderRecord, epoch: int, at_ns: int) -> None:
    """Write the intent of an order. A direct link answers in this commit, so its outcome is known at once."""
    owner, known = record.order.owner, at_ns if record.acknowledged else None
    values = {
        "order_id": record.id,
        "account": owner.account,
        "world_id": owner.world_id,
        "strategy_id": owner.strategy_id,
        "client_order_id": record.order.client_order_id,
        "venue_order_id": record.id,
        "epoch": epoch,
        "sent_ns": at_ns,
        "wire_ns": known,
        "answered_ns": known,
    }
    _WRITE.run(conn, values)
    if known is None:
        signal(conn, WIRE_SIGNAL)


def put_on_the_wire(conn: Connection, order_id: str, epoch: int, now_ns: int) -> None:
    """The last step before the send: from here on the outcome is unknown until the venue has been heard."""
    found = sa.update(t.send_intents).where(INTENT.order_id == order_id)
    conn.execute(found.values(epoch=epoch, wire_ns=now_ns))


def answered(conn: Connection, order_ids: Iterable[str], now_ns: int) -> None:
    """The outcome of these orders is known."""
    ids = sorted(order_ids)
    conn.execute(sa.update(t.send_intents).where(INTENT.order_id.in_(ids), UNANSWERED).values(answered_ns=now_ns))


def unanswered(conn: Connection, order_id: str) -> AnyRow | None:
    """The intent of an order, if its outcome is not known."""
    return conn.execute(sa.select(t.send_intents).where(INTENT.order_id == order_id, UNANSWERED)).one_or_none()


def on_the_wire(conn: Connection, world_id: str) -> list[WireIntent]:
    """Intents of a world that were sent and whose outcome is not known."""
    query = sa.select(t.send_intents).where(INTENT.world_id == world_id, UNANSWERED, INTENT.wire_ns.is_not(None))
    return [
        WireIntent(row.account, row.strategy_id, row.client_order_id, row.venue_order_id, row.epoch, row.sent_ns)
        for row in conn.execute(query.order_by(INTENT.sent_ns, INTENT.order_id))
    ]
