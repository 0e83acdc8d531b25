"""Reacts to a fence that narrowed: what could add to a position is cancelled, what protects one stays until it is flat.

Above orders and after the fence's commit. Orders of other clients are under no fence of ours. Asking again does
nothing, so a crash between the two is made up for at the next look.
"""

from __future__ import annotations

from functools import partial

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import EXTERNAL, NETTING, Side
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.venue_traits import PAPER
from brokerage.domain.risk.fence import Fence, VenueKind, lets_go, unset
from brokerage.domain.risk.protection import withdrawal
from brokerage.domain.trading import commands
from brokerage.fences import intents
from brokerage.fences.store import load_fence, locked_fence
from brokerage.market.context import MarketContext
from brokerage.orders.entry.contingencies import record_in
from brokerage.orders.entry.permission import shares_held
from brokerage.orders.rows import shares_of
from brokerage.orders.working import load_open_orders
from qmtl.sql.statements.prepared import Prepared

WITHDRAWN = "WITHDRAWN: it could add, and may only reduce"
NARROWED = "REDUCE_ONLY: it may not add any more"


def accounts_to_narrow(conn: Connection, venue: str = PAPER.name, at: VenueKind = VenueKind.PAPER) -> list[str]:
    """Accounts at a venue with open orders, not reduce-only, of a strategy that may add nothing on their side."""
    of_venue = {"venue": venue}
    own = _ADDING.ask(conn, of_venue)
    netted = _NETTED.rows(conn, of_venue)
    held = {row.account for row in netted if shares_held(shares_of(row.shares), partial(_known, conn), at)}
    rows = own.rows().all()
    fences = {world_id: load_fence(conn, world_id) for world_id in {row.world_id for row in rows}}
    barred = [row for row in rows if _only_reduces(fences[row.world_id], row.strategy_id, Side(row.side), at)]
    return sorted(held | {row.account for row in barred})


def narrow_account(conn: Connection, market: MarketContext, account_name: str, now_ns: int) -> int:
    """Withdraw what could add from an account, where their owners may only reduce; how many orders were touched."""
    account = accounts_store.account(conn, account_name, lock=True)
    market = market.of(account)
    view, touched = load_open_orders(conn, market, account), 0
    for owner, book in view.books.items():
        if owner.strategy_id == EXTERNAL or not book.open_orders():
            continue
        fence = locked_fence(conn, owner.world_id)
        barred = frozenset(side for side in Side if not lets_go(fence, owner.strategy_id, side, market.kind))
        if any(
            shares_held(record.order.shares, partial(locked_fence, conn), market.kind) for record in book.open_orders()
        ):
            barred = frozenset(Side)
        events = _narrow(conn, market, account, book, barred, now_ns)
        account = record_in(conn, market, account, (view, book), events)
        touched += len(events)
    return touched


def _known(conn: Connection, world_id: str) -> Fence:
    found = load_fence(conn, world_id)
    return found[0] if found is not None else unset(world_id)


def _only_reduces(found: tuple[Fence, int] | None, strategy_id: str, side: Side, at: VenueKind) -> bool:
    return found is not None and not lets_go(found[0], strategy_id, side, at)


def _narrow(
    conn: Connection, market: MarketContext, account: Account, book: StrategyBook, barred: frozenset[Side], now_ns: int
) -> list[OrderEvent]:
    found, made = withdrawal(book, barred), list[OrderEvent]()
    for record in found.ending:
        if not market.may_cancel(record.id):
            continue
        time = account.time(now_ns, record.order.symbol)
        event = commands.cancel(book, record.id, time, direct=market.link.direct, detail=WITHDRAWN)
        if event is not None and event.kind is EventKind.PENDING_CANCEL:
            intents.write_cancel(conn, book.record(record.id), now_ns)
        made += [event] if event is not None else []
    for record in found.narrowing:
        commands.narrow(book, record.id)
        made += commands.note(book, record.id, account.time(now_ns, record.order.symbol), NARROWED)
    return made


def _adding() -> sa.Select[tuple[str, str, str, str]]:
    heads = t.orders.c
    return (
        sa.select(heads.account, heads.world_id, heads.strategy_id, heads.side)
        .where(heads.venue == sa.bindparam("venue"), heads.open)
        .where(sa.not_(heads.reduce_only), sa.not_(heads.gate_reduce_only))
        .where(heads.state.not_in(("RELEASED", "PENDING_CANCEL", "INITIALIZED")), heads.strategy_id != EXTERNAL)
    )


# Asked each second and at every wire and fence.
_NETTED = Prepared(_adding().add_columns(t.orders.c.shares).where(t.orders.c.strategy_id == NETTING))
_ADDING = Prepared(_adding().where(t.orders.c.strategy_id != NETTING).distinct())
