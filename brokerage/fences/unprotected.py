"""Positions whose exits were ended to make way for an order that closes at once, which has not closed them."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.orders.order import Owner
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.schema import AnyRow

WAITS = "HELD: resting orders hold what it sells, and are to end first"
UNPROTECTED = "resting orders were ended to make way for it: they protect the position no more"
"""What is said of such an order while it waits for their end, and where it may not go then."""

_ORDER, _HELD = t.orders.c, t.positions.c


@dataclass(frozen=True, slots=True)
class UnprotectedPosition:
    """What an owner holds without the exits that it had, and the order that they made way for."""

    owner: Owner
    symbol: str
    client_order_id: str


def unprotected(conn: Connection, world_id: str) -> list[UnprotectedPosition]:
    """Such positions of a world, by account, strategy and symbol: since the order nothing of the owner's has filled in
    the symbol, and none of its exits rests, or waits here, that is not asked to end.
    """
    positions = sa.select(t.positions).where(_HELD.world_id == world_id, _HELD.quantity != 0)
    found: list[UnprotectedPosition] = []
    for held in conn.execute(positions.order_by(_HELD.account, _HELD.strategy_id, _HELD.symbol)).all():
        close = _close_of(conn, world_id, held)
        if close:
            owner = Owner(held.account, world_id, held.strategy_id)
            found.append(UnprotectedPosition(owner, held.symbol, close))
    return found


def _close_of(conn: Connection, world_id: str, held: AnyRow) -> str:
    """The order that the exits of a position made way for; empty: it has exits, or had none that did."""
    mine = sa.and_(
        _ORDER.account == held.account,
        _ORDER.symbol == held.symbol,
        # by no index of names: the newest of the account come first, and one is enough
        sa.func.coalesce(_ORDER.world_id, "") == world_id,
        sa.func.coalesce(_ORDER.strategy_id, "") == held.strategy_id,
    )
    made_way = sa.or_(_ORDER.detail == WAITS, _ORDER.detail.endswith(UNPROTECTED, autoescape=True))
    newest = sa.select(_ORDER.order_id, _ORDER.client_order_id, _ORDER.side, made_way.label("made_way"))
    newest = newest.where(mine, sa.or_(made_way, _ORDER.filled > 0)).order_by(_ORDER.created_sequence.desc())
    close = conn.execute(newest.limit(1)).one_or_none()
    if close is None or not close.made_way:  # none, or it has traded since
        return ""
    protects = sa.and_(
        _ORDER.open,
        _ORDER.reduce_only,
        _ORDER.side == close.side,
        _ORDER.order_id != close.order_id,
        _ORDER.type != OrderType.MARKET.value,
        _ORDER.state != OrderState.PENDING_CANCEL.value,
    )
    other = conn.execute(sa.select(_ORDER.order_id).where(mine, protects).limit(1)).first()
    return "" if other else str(close.client_order_id)
