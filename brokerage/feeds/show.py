"""Shows the next bars of a feed to every account on it, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection

from brokerage import audit
from brokerage.accounts import store as accounts_store
from brokerage.books.drawdown import watch_drawdown
from brokerage.domain.accounts.account import Account, AccountFeed, TradingState
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.mark import mark_of
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.risk.fence import VenueKind
from brokerage.domain.simulation.corporate import acted_before, opened_before
from brokerage.feeds.carried import CarriedAccount
from brokerage.market.context import MarketContext
from brokerage.orders import journal
from brokerage.orders.entry.contingencies import settle_lists
from brokerage.orders.margin import call_margin
from brokerage.orders.working import load_open_orders
from brokerage.venues.dispatch.emulation import release_touched
from brokerage.venues.paper import step
from qmtl.core.errors import QmtlError
from qmtl.sql.database import signal

log = structlog.stdlib.get_logger("qmtl.brokerage.feeds")


def show_bars(
    conn: Connection,
    market: MarketContext,
    source: tuple[str, str],
    bars: Sequence[Bar],
    watermark_ns: int,
    now_ns: int,
    *,
    ended: bool = False,
) -> int:
    """Show the next bars of a feed, a preset and a replay session, to every account on it; how many fills that made.
    `ended`: the session has no more.

    Progress is stored with what the bars did: bars that close at or before it are skipped, whoever sends them again.
    Each account has a savepoint of its own: one that cannot take the bars is halted, and the others go on.
    """
    fills = 0
    for account in accounts_store.accounts_on(conn, *source, lock=True):
        feeds = [feed for feed in account.feeds if (feed.preset, feed.session_id) == source]
        fills += _show_account(conn, market, account, feeds, Shown(bars, watermark_ns, now_ns))
    if ended:
        accounts_store.end_feeds(conn, *source)
    signal(conn, accounts_store.BARS_SIGNAL)
    return fills


@dataclass(frozen=True, slots=True)
class Shown:
    """What one message of a feed brought, and when."""

    bars: Sequence[Bar]
    watermark_ns: int
    now_ns: int

    def beyond(self, feed: AccountFeed) -> tuple[list[Bar], int]:
        """The bars that a feed has not had, and how far it is with them."""
        fresh = [bar for bar in self.bars if bar.end_ns > feed.position_ns]
        return fresh, max([feed.position_ns, self.watermark_ns, *(bar.end_ns for bar in fresh)])


def _show_account(
    conn: Connection, market: MarketContext, account: Account, feeds: Sequence[AccountFeed], shown: Shown
) -> int:
    fills, moved = 0, account
    try:
        with conn.begin_nested():
            for feed in feeds:
                moved, made = _move(conn, market, moved, feed, shown)
                fills += made
    except QmtlError as error:
        _halt(conn, account, feeds, shown, error)
        return 0
    return fills


def _halt(conn: Connection, account: Account, feeds: Sequence[AccountFeed], shown: Shown, error: QmtlError) -> None:
    """Take an account out of trading that could not take its bars: it is moved past them with its orders as they were,
    and an operator decides.
    """
    for feed in feeds:
        fresh, progress = shown.beyond(feed)
        _save_progress(conn, account.account, feed, fresh, progress)
    accounts_store.save_account(conn, replace(account, trading_state=TradingState.HALTED))
    detail = (
        f"bars up to {max((bar.end_ns for bar in shown.bars), default=shown.watermark_ns)} ns had no effect: {error}"
    )
    audit.record(conn, shown.now_ns, ("brokerage", ""), "feed_failed", account.account, detail)
    log.error("feed_failed", account=account.account, error=str(error))


def _move(
    conn: Connection, market: MarketContext, account: Account, feed: AccountFeed, shown: Shown
) -> tuple[Account, int]:
    """Move an account along one of its feeds; the account then, and how many fills that made."""
    fresh, progress = shown.beyond(feed)
    if progress <= feed.position_ns:
        return account, 0
    if market.of(account).kind is not VenueKind.PAPER:
        account = _mark(conn, market, account, feed, EventTime(progress, shown.now_ns), fresh)
        return _watched(conn, market, account, fresh, shown.now_ns), 0
    money = CarriedAccount(account, load_open_orders(conn, market, account), feed.symbol) if fresh else None
    done = _show(conn, market, money, fresh, EventTime(progress, shown.now_ns)) if money else []
    moved = _save_progress(conn, account.account, feed, fresh, progress)
    account = account.moved(moved)
    account = journal.record(conn, account if money is None else money.carried(account), done)
    if money is not None:
        money.save(conn, account, shown.now_ns)
    if fresh:
        account = call_margin(conn, market, account, shown.now_ns)
    account = _watched(conn, market, account, fresh, shown.now_ns)
    return account, sum(event.fill is not None for _, event in done)


def _watched(conn: Connection, market: MarketContext, account: Account, fresh: Sequence[Bar], now_ns: int) -> Account:
    """The account, with its drawdown looked at after a bar."""
    return watch_drawdown(conn, market, account, now_ns) if fresh and market.limits.drawdown_max else account


def _mark(
    conn: Connection,
    market: MarketContext,
    account: Account,
    feed: AccountFeed,
    progress: EventTime,
    bars: Sequence[Bar],
) -> Account:
    """Show bars to an account at an exchange, which fills its orders and moves its money: they are prices, and may let
    go what is watched here.
    """
    books = load_open_orders(conn, market, account).books.values() if bars else ()
    done = [
        (book, event)
        for bar in bars
        for book in books
        for event in release_touched(
            conn, market, account, book, (feed.symbol, bar), EventTime(bar.end_ns, progress.received_ns)
        )
    ]
    moved = account.moved(_save_progress(conn, account.account, feed, bars, progress.at_ns))
    return journal.record(conn, moved, done) if done else moved


def _save_progress(conn: Connection, name: str, feed: AccountFeed, fresh: Sequence[Bar], progress: int) -> AccountFeed:
    """Store how far an account is along a feed, and the price that the feed has brought."""
    moved = replace(feed, position_ns=progress)
    if fresh:
        last = fresh[-1]
        moved = replace(moved, mark=mark_of(last))
        accounts_store.save_mark(conn, moved, mark_of(last))
    accounts_store.save_position(conn, name, moved)
    return moved


def _show(
    conn: Connection, market: MarketContext, money: CarriedAccount, bars: Sequence[Bar], progress: EventTime
) -> list[tuple[StrategyBook, OrderEvent]]:
    """Bars in order: what has arrived is heard, what rests may fill, what is watched may be let go; and between them
    what time brings.
    """
    account, symbol = money.account, money.symbol
    venue = step.begin(conn, account, money.view)
    done: list[tuple[StrategyBook, OrderEvent]] = []

    def then(book: StrategyBook, time: EventTime, list_id: str) -> list[OrderEvent]:
        return settle_lists(conn, market, account, money.view, book, time, list_id)

    actions, instrument = market.of(account).actions.get(symbol, ()), money.view.instruments.find(symbol)
    mark = money.view.marks.get(symbol)
    for bar in bars:
        money.advance(bar.start_ns, done)
        if actions and instrument is not None:
            for action in acted_before(instrument, bar, actions, opened_before(instrument, mark)):
                done += money.act(action, bar.open, progress.received_ns, done)
        # what lists are made to do is judged by the price there is then
        mark = money.view.marks[symbol] = mark_of(bar)
        for book in venue.books:
            made = venue.on_bar(book, symbol, bar, progress.received_ns, then)
            made += release_touched(
                conn, market, account, book, (symbol, bar), EventTime(bar.end_ns, progress.received_ns)
            )
            done += [(book, event) for event in made]
        money.advance(bar.end_ns, done)
    venue.end(conn, account)
    return [*done, *venue.answers(progress, then)]
