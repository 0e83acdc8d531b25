"""Send-intents as rows: what was to be sent, what is on the wire, what is answered.

An intent of an order or a replace is written in the transaction that checks the fence, one of a cancel passes every
fence. `wire_ns` is set by the second check, just before the send; `answered_ns` when the outcome is known. What has the
first and not the second is on the wire.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.orders.order import NETTING, venue_order_id
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.reports import VenueAct
from brokerage.domain.risk.fence import WireIntent
from brokerage.schema import OF, AnyRow
from qmtl.sql.database import signal
from qmtl.sql.statements.lists import bounded
from qmtl.sql.statements.prepared import Prepared

WIRE_SIGNAL = "wire"
NO_FENCE = 0
"""The epoch of an intent that no fence is asked about: of a cancel, and of what an operator closes despite it."""

INTENT = t.send_intents.c
UNANSWERED = INTENT.answered_ns.is_(None)
_OF_ACT = sa.and_(INTENT.act == sa.bindparam("of_act"), UNANSWERED)
_ONE = sa.and_(INTENT.order_id == OF, _OF_ACT)
_SOME = INTENT.order_id.in_(sa.bindparam("ids", expanding=True))
_CHANGE = sa.update(t.send_intents)
_WRITE = Prepared(sa.insert(t.send_intents))
_SENT = Prepared(_CHANGE.where(_ONE).values(epoch=sa.bindparam("now_epoch"), wire_ns=sa.bindparam("now_ns")))
_AGAIN = Prepared(_CHANGE.where(_ONE).values(wire_ns=sa.null()))
_ANSWERED = Prepared(_CHANGE.where(_SOME, UNANSWERED).values(answered_ns=sa.bindparam("now_ns")))
_ACT_ANSWERED = Prepared(_CHANGE.where(_SOME, _OF_ACT).values(answered_ns=sa.bindparam("now_ns")))
_UNANSWERED = Prepared(sa.select(t.send_intents).where(_ONE).order_by(INTENT.number).limit(1))


def write(
    conn: Connection, record: OrderRecord, epoch: int, at_ns: int, act: VenueAct = VenueAct.SUBMIT, number: int = 0
) -> None:
    """Write the intent of an act. A direct link answers in this commit, so the outcome of a submit is known at once."""
    owner, known = record.order.owner, at_ns if act is VenueAct.SUBMIT and record.acknowledged else None
    values = {
        "order_id": record.id,
        "act": act.value,
        "number": number,
        "account": owner.account,
        "world_id": owner.world_id,
        "strategy_id": owner.strategy_id,
        "client_order_id": record.order.client_order_id,
        "venue_order_id": venue_order_id(record.id, record.replaces if act is VenueAct.REPLACE else record.generation),
        "epoch": epoch,
        "sent_ns": at_ns,
        "wire_ns": known,
        "answered_ns": known,
    }
    _WRITE.send(conn, values)
    if known is None:
        signal(conn, WIRE_SIGNAL)


def write_cancel(conn: Connection, record: OrderRecord, at_ns: int) -> None:
    """Write the intent of a cancel, one more of its order."""
    cancels = sa.and_(INTENT.order_id == record.id, INTENT.act == VenueAct.CANCEL.value)
    number: int = conn.execute(sa.select(sa.func.count()).select_from(t.send_intents).where(cancels)).scalar_one()
    write(conn, record, NO_FENCE, at_ns, VenueAct.CANCEL, number)


def put_on_the_wire(conn: Connection, order_id: str, epoch: int, now_ns: int, act: VenueAct = VenueAct.SUBMIT) -> None:
    """The last step before the send: from here on the outcome is unknown until the venue has been heard."""
    _SENT.send(conn, {"of": order_id, "of_act": act.value, "now_epoch": epoch, "now_ns": now_ns})


def send_again(conn: Connection, order_id: str, act: VenueAct) -> None:
    """An act that the venue was asked about and does not know of may go once more."""
    _AGAIN.send(conn, {"of": order_id, "of_act": act.value})
    signal(conn, WIRE_SIGNAL)


def answered(conn: Connection, order_ids: Iterable[str], now_ns: int, act: VenueAct | None = None) -> None:
    """The outcome of an act on these orders is known; of all acts where none is named."""
    for ids in bounded(sorted(order_ids)):
        if act is None:
            _ANSWERED.send(conn, {"ids": ids, "now_ns": now_ns})
        else:
            _ACT_ANSWERED.send(conn, {"ids": ids, "of_act": act.value, "now_ns": now_ns})


def unanswered(conn: Connection, order_id: str, act: VenueAct = VenueAct.SUBMIT) -> AnyRow | None:
    """The intent of an act on an order, if its outcome is not known."""
    return _UNANSWERED.rows(conn, {"of": order_id, "of_act": act.value}).one_or_none()


def on_the_wire(conn: Connection, world_id: str) -> list[WireIntent]:
    """Orders and replaces of a world, and netted orders with a share of it, that were sent and whose outcome is not
    known. Cancels are no risk.
    """
    query = (
        sa.select(t.send_intents, t.orders.c.shares)
        .join(t.orders, t.orders.c.order_id == INTENT.order_id)
        .where(INTENT.world_id.in_((world_id, NETTING)), UNANSWERED)
        .where(INTENT.wire_ns.is_not(None), INTENT.act != VenueAct.CANCEL.value)
    )
    return [
        WireIntent(row.account, row.strategy_id, row.client_order_id, row.venue_order_id, row.epoch, row.sent_ns)
        for row in conn.execute(query.order_by(INTENT.sent_ns, INTENT.order_id))
        if not row.shares or world_id in {share[0] for share in json.loads(row.shares)}
    ]
