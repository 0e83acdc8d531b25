"""Send-intents whose outcome is not known, with what tells how long to wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.orders.order import OrderName, Owner
from brokerage.domain.orders.reports import VenueAct
from brokerage.domain.orders.venue_traits import PAPER
from brokerage.domain.simulation.arrivals import Arrival
from brokerage.fences.intents import INTENT, UNANSWERED
from brokerage.schema import AnyRow
from qmtl.exchanges.budgets import Purpose
from qmtl.sql.statements.prepared import Prepared


@dataclass(frozen=True, slots=True)
class PendingIntent:
    """An intent whose outcome is not known, with what tells how long to wait for it."""

    name: OrderName
    order_id: str
    act: VenueAct
    number: int
    epoch: int
    wire_ns: int | None
    unresolved_ns: int | None  # since when the outcome is unknown
    arrival: Arrival | None
    data_ns: int | None  # where the account's replay stands; None on a live feed
    reduces: bool  # its order may only reduce

    @property
    def key(self) -> tuple[str, VenueAct, int]:
        """Names the intent."""
        return self.order_id, self.act, self.number

    @property
    def purpose(self) -> Purpose:
        """What it is to the venue's request limits."""
        if self.act is VenueAct.CANCEL:
            return Purpose.CANCEL
        return Purpose.REDUCE if self.reduces else Purpose.INCREASE


def pending(conn: Connection, at_venue: str = PAPER.name) -> list[PendingIntent]:
    """Every intent of a venue's accounts whose outcome is not known, oldest first."""
    return [_intent_of(row) for row in _PENDING.rows(conn, {"venue": at_venue})]


def _intent_of(row: AnyRow) -> PendingIntent:
    return PendingIntent(
        name=OrderName(Owner(row.account, row.world_id, row.strategy_id), row.client_order_id),
        order_id=row.order_id,
        act=VenueAct(row.act),
        number=row.number,
        epoch=row.epoch,
        wire_ns=row.wire_ns,
        unresolved_ns=row.updated_ns if row.unresolved else None,
        arrival=None if row.arrives_ns is None else Arrival(row.arrives_ns, row.answer_lost),
        data_ns=row.position_ns if row.session_id else None,
        reduces=row.reduce_only or row.gate_reduce_only,
    )


def _pending() -> sa.Select[Any]:
    heads, venue, feeds = t.orders.c, t.venue_orders.c, t.account_feeds.c
    return (
        sa.select(
            t.send_intents,
            heads.unresolved,
            heads.updated_ns,
            heads.reduce_only,
            heads.gate_reduce_only,
            venue.arrives_ns,
            venue.answer_lost,
            feeds.position_ns,
            feeds.session_id,
        )
        .join(t.orders, heads.order_id == INTENT.order_id)
        .outerjoin(t.account_feeds, sa.and_(feeds.account == INTENT.account, feeds.symbol == heads.symbol))
        .outerjoin(
            t.venue_orders,
            sa.and_(venue.venue_order_id == INTENT.venue_order_id, INTENT.act == VenueAct.SUBMIT.value),
        )
        .where(UNANSWERED, heads.venue == sa.bindparam("venue"))
        .order_by(INTENT.sent_ns, INTENT.order_id, INTENT.number)
    )


_PENDING = Prepared(_pending())  # asked each second and at every wire
