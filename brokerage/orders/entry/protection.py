"""Reacts to a fence that narrowed: what could add to a position is cancelled, what protects one stays until it is flat.

Above orders and after the fence's commit. Asking again does nothing, so a crash between the two is made up for at the
next look.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.states import EventKind
from brokerage.domain.risk.fence import FenceState, lets_go
from brokerage.domain.risk.protection import withdrawal
from brokerage.domain.trading import commands
from brokerage.fences import intents
from brokerage.fences.store import locked_fence
from brokerage.market.context import MarketContext
from brokerage.orders.entry.contingencies import record_in
from brokerage.orders.working import load_open_orders
from qmtl.core.modes import EffectiveMode

_TRADING = (EffectiveMode.PAPER.value, EffectiveMode.LIVE.value)
WITHDRAWN = "WITHDRAWN: it could add, and its world may only reduce"
NARROWED = "REDUCE_ONLY: its world may only reduce"


def accounts_to_narrow(conn: Connection) -> list[str]:
    """Accounts with open orders, not reduce-only, of a world whose fence lets nothing be added."""
    heads, fences = t.orders.c, t.world_fences.c
    query = (
        sa.select(heads.account)
        .join(t.world_fences, fences.world_id == heads.world_id)
        .where(heads.open, sa.not_(heads.reduce_only), sa.not_(heads.gate_reduce_only))
        .where(sa.or_(fences.state != FenceState.OPEN.value, fences.effective_mode.not_in(_TRADING)))
        .where(heads.state.not_in(("RELEASED", "PENDING_CANCEL", "INITIALIZED")))
    )
    return list(conn.execute(query.distinct().order_by(heads.account)).scalars())


def narrow_account(conn: Connection, market: MarketContext, account_name: str, now_ns: int) -> int:
    """Withdraw what could add from an account, of the worlds that may only reduce; how many orders were touched."""
    account = accounts_store.account(conn, account_name, lock=True)
    view, touched = load_open_orders(conn, market, account), 0
    for owner, book in view.books.items():
        if not book.open_orders() or lets_go(locked_fence(conn, owner.world_id), reducing=False):
            continue
        events = _narrow(conn, market, account, book, now_ns)
        account = record_in(conn, market, account, (view, book), events)
        touched += len(events)
    return touched


def _narrow(
    conn: Connection, market: MarketContext, account: Account, book: StrategyBook, now_ns: int
) -> list[OrderEvent]:
    found, made = withdrawal(book), list[OrderEvent]()
    for record in found.ending:
        time = account.time(now_ns, record.order.symbol)
        event = commands.cancel(book, record.id, time, direct=market.link.direct, detail=WITHDRAWN)
        if event is not None and event.kind is EventKind.PENDING_CANCEL:
            intents.write_cancel(conn, book.record(record.id), now_ns)
        made += [event] if event is not None else []
    for record in found.narrowing:
        commands.narrow(book, record.id)
        made += commands.note(book, record.id, account.time(now_ns, record.order.symbol), NARROWED)
    return made
