"""Emulated stops: released when their price is reached and the fence of the moment allows it, held otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.bars import Bar
from brokerage.domain.models.day_orders import holds_regular_hours
from brokerage.domain.models.fills.stops import reached, touched
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderState
from brokerage.domain.orders.venue_traits import PAPER
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.trading import commands
from brokerage.fences import intents
from brokerage.fences.store import locked_fence
from brokerage.market.context import MarketContext
from brokerage.orders import journal
from brokerage.orders.entry.contingencies import settle_lists
from brokerage.orders.entry.permission import may_go, narrow
from brokerage.orders.working import load_open_orders
from qmtl.sql.statements.prepared import Prepared

HELD = "HELD: its stop was reached while the fence or the account lets nothing like it pass"


def accounts_with_stops(conn: Connection, venue: str = PAPER.name) -> list[str]:
    """Accounts at a venue in which an emulated stop is watched, or orders of a list are open."""
    return list(_WITH_STOPS.rows(conn, {"venue": venue}).scalars())


def _with_stops() -> sa.Select[tuple[str]]:
    heads, held = t.orders.c, (OrderState.EMULATED.value, OrderState.INITIALIZED.value)
    query = sa.select(heads.account).where(heads.venue == sa.bindparam("venue"), heads.open)
    return query.where(sa.or_(heads.state.in_(held), heads.list_id != "")).distinct().order_by(heads.account)


_WITH_STOPS = Prepared(_with_stops())


def release_reached(conn: Connection, market: MarketContext, account_name: str, now_ns: int) -> int:
    """Look anew at an account's emulated stops and waiting lists after its fence moved: what was held may go now."""
    account = accounts_store.account(conn, account_name, lock=True)
    view = load_open_orders(conn, market, account)
    done: list[tuple[StrategyBook, OrderEvent]] = []
    for book in view.books.values():
        for record in _emulated(book):
            if still_reached(view, record) and not _rival_went(book, record):
                time = account.time(now_ns, record.order.symbol)
                done += [(book, event) for event in _let_go(conn, market, account, book, record, time)]
    for book in view.books.values():
        done += [(book, event) for event in settle_lists(conn, market, account, view, book, account.time(now_ns, ""))]
    if done:
        journal.record(conn, account, done)
    return len(done)


def release_touched(
    conn: Connection,
    market: MarketContext,
    account: Account,
    book: StrategyBook,
    shown: tuple[str, Bar],
    time: EventTime,
) -> list[OrderEvent]:
    """What a bar does to the stops that are watched here: reached ones are let go, or held where they are."""
    symbol, bar = shown
    return [
        event
        for record in _emulated(book)
        if record.order.symbol == symbol
        and bar.start_ns >= record.accepted_ns
        and touched(record.order.side, record.stop or 0, bar)
        and (record.expire_ns is None or record.expire_ns > bar.end_ns)
        and _is_regular(record, bar.start_ns, bar.end_ns)
        and not _rival_went(book, record)
        for event in _let_go(conn, market, account, book, record, time)
    ]


def still_reached(view: AccountView, record: OrderRecord) -> bool:
    """Whether the last price is beyond the order's stop, and of regular hours."""
    mark = view.marks.get(record.order.symbol)
    if mark is None or record.stop is None or not reached(record.order.side, record.stop, mark.price):
        return False
    return _is_regular(record, mark.at_ns - mark.bar_ns, mark.at_ns)


def _is_regular(record: OrderRecord, start_ns: int, end_ns: int) -> bool:
    """Whether prices of a span test a stop: they do in regular hours of its exchange, as they do a stop at a venue."""
    return record.instrument is None or holds_regular_hours(record.instrument, start_ns, end_ns)


def _let_go(
    conn: Connection, market: MarketContext, account: Account, book: StrategyBook, record: OrderRecord, time: EventTime
) -> Sequence[OrderEvent]:
    """Release one stop if the fence of this moment allows it: the intent is written in the same transaction."""
    fence, trading = locked_fence(conn, record.order.owner.world_id), account.trading_state
    market = market.of(account)
    if not may_go(book, trading, record, fence, market.kind):
        return commands.note(book, record.id, time, HELD)
    narrow(book, trading, record, fence)
    made = commands.release(book, record.id, time, direct=market.link.direct)
    intents.write(conn, book.record(record.id), fence.epoch, time.received_ns)
    return made


def _rival_went(book: StrategyBook, record: OrderRecord) -> bool:
    """Whether another of the orders of which only one fills was let go and may fill yet."""
    rivals = [book.records[name] for name in record.rivals if name in book.records]
    return any(rival.let_go and not rival.closed for rival in rivals)


def _emulated(book: StrategyBook) -> list[OrderRecord]:
    return [record for record in book.open_orders() if record.state is OrderState.EMULATED]
