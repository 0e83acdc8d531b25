"""What bars do to the orders of an account on the paper venue."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from brokerage.domain.accounts.account import Account
from brokerage.domain.market.bars import Bar
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.trading.commands import Desk
from brokerage.fences import intents
from brokerage.market.context import MarketContext
from brokerage.orders.journal import load_desks
from brokerage.venues.dispatch.emulation import release_touched
from qmtl.sql.database import signal


def step(
    conn: Connection, house: MarketContext, account: Account, bars: Sequence[Bar], progress: EventTime
) -> list[tuple[Desk, OrderEvent]]:
    """Bars in order: what has arrived is heard, what rests may fill, what is watched may be let go."""
    desks = load_desks(conn, house, account) if bars else {}
    working = [desk for _, desk in sorted(desks.items(), key=lambda item: item[0].strategy_id) if desk.open_orders()]
    now_ns = progress.received_ns
    if any(not record.acknowledged for desk in working for record in desk.open_orders()):
        signal(conn, intents.WIRE_SIGNAL)
    done: list[tuple[Desk, OrderEvent]] = []
    for bar in bars:
        for desk in working:
            made = desk.answer(bar.start_ns, now_ns) + desk.on_bar(account.symbol, bar, now_ns)
            made += release_touched(conn, house, account, desk, bar, EventTime(bar.end_ns, now_ns))
            done += [(desk, event) for event in made]
    return done + [(desk, event) for desk in working for event in desk.answer(progress.at_ns, now_ns)]
