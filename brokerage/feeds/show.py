"""Shows the next bars of a feed to every account on it, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.books.drawdown import watch_drawdown
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.bars import Bar
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.market.context import MarketContext
from brokerage.orders import journal
from brokerage.orders.working import load_open_orders
from brokerage.venues.dispatch.emulation import release_touched
from brokerage.venues.paper import step
from qmtl.sql.database import signal


def show_bars(
    conn: Connection, market: MarketContext, feed: tuple[str, str], bars: Sequence[Bar], watermark_ns: int, now_ns: int
) -> int:
    """Show the next bars of a feed to every account on it; how many fills that made.

    Progress is stored with what the bars did: bars that close at or before it are skipped, whoever sends them again.
    """
    fills = 0
    for account in accounts_store.accounts(conn, *feed, lock=True):
        fresh = [bar for bar in bars if bar.end_ns > account.venue_ns]
        progress = max(account.venue_ns, watermark_ns, *(bar.end_ns for bar in fresh)) if fresh else watermark_ns
        if progress <= account.venue_ns:
            continue
        done = _show(conn, market, account, fresh, EventTime(progress, now_ns))
        fills += sum(event.fill is not None for _, event in done)
        moved = replace(account, venue_ns=progress)
        if fresh:
            moved = replace(moved, mark_price=fresh[-1].close, mark_ns=fresh[-1].end_ns)
        moved = journal.record(conn, moved, done)
        if fresh and market.limits.drawdown_max:
            watch_drawdown(conn, market, moved, now_ns)
    signal(conn, accounts_store.BARS_SIGNAL)
    return fills


def _show(
    conn: Connection, market: MarketContext, account: Account, bars: Sequence[Bar], progress: EventTime
) -> list[tuple[StrategyBook, OrderEvent]]:
    """Bars in order: what has arrived is heard, what rests may fill, what is watched may be let go."""
    if not bars:
        return []
    view = load_open_orders(conn, market, account)
    venue = step.begin(conn, account, view)
    done: list[tuple[StrategyBook, OrderEvent]] = []
    for bar in bars:
        for book in venue.books:
            made = venue.on_bar(book, account.symbol, bar, progress.received_ns)
            made += release_touched(conn, market, account, book, bar, EventTime(bar.end_ns, progress.received_ns))
            done += [(book, event) for event in made]
    return [*done, *venue.answers(progress)]
