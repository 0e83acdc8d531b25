"""Emulated stops: released when their price is reached and the fence of the moment allows it, held otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account, now_of
from brokerage.domain.market.bars import Bar
from brokerage.domain.models.fills.stops import reached, touched
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderState
from brokerage.domain.trading.commands import Desk
from brokerage.fences import intents
from brokerage.market.context import MarketContext
from brokerage.orders.journal import keep, load_desks
from brokerage.venues.dispatch.permission import locked_fence, may_go, narrow


def accounts_with_stops(conn: Connection) -> list[str]:
    """Accounts in which an emulated stop is watched."""
    heads = t.orders.c
    query = sa.select(heads.account).where(heads.open, heads.state == OrderState.EMULATED.value)
    return list(conn.execute(query.distinct().order_by(heads.account)).scalars())


HELD = "HELD: its stop was reached while the fence or the account lets nothing like it pass"


def release_reached(conn: Connection, house: MarketContext, account_name: str, now_ns: int) -> int:
    """Look anew at an account's emulated stops after its fence moved: those the last price is still beyond may go."""
    account = accounts_store.account(conn, account_name, lock=True)
    time = now_of(account, now_ns)
    done: list[tuple[Desk, OrderEvent]] = []
    for desk in load_desks(conn, house, account).values():
        for record in _emulated(desk):
            if still_reached(desk, record):
                done += [(desk, event) for event in _let_go(conn, house, desk, record, time)]
    if done:
        keep(conn, account, done)
    return len(done)


def release_touched(
    conn: Connection, house: MarketContext, account: Account, desk: Desk, bar: Bar, time: EventTime
) -> list[OrderEvent]:
    """What a bar does to the stops that are watched here: reached ones are let go, or held where they are."""
    return [
        event
        for record in _emulated(desk)
        if record.order.symbol == account.symbol
        and bar.start_ns >= record.accepted_ns
        and touched(record.order.side, record.stop or 0, bar)
        for event in _let_go(conn, house, desk, record, time)
    ]


def _let_go(
    conn: Connection, house: MarketContext, desk: Desk, record: OrderRecord, time: EventTime
) -> Sequence[OrderEvent]:
    """Release one stop if the fence of this moment allows it: the intent is written in the same transaction."""
    fence = locked_fence(conn, record.order.scope.world_id)
    if not may_go(desk, record, fence):
        return desk.note(record.id, time, HELD)
    narrow(desk, record, fence)
    made = desk.release(record.id, time, direct=house.link.direct)
    intents.write(conn, desk.records[record.id], fence.epoch, time.received_ns)
    return made


def still_reached(desk: Desk, record: OrderRecord) -> bool:
    mark = desk.marks.get(record.order.symbol)
    return mark is not None and record.stop is not None and reached(record.order.side, record.stop, mark.price)


def _emulated(desk: Desk) -> list[OrderRecord]:
    return [record for record in desk.open_orders() if record.state is OrderState.EMULATED]
