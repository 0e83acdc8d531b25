"""Shows the next bars of a feed to every account on it, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection

from brokerage import audit
from brokerage.accounts import store as accounts_store
from brokerage.books.drawdown import watch_drawdown
from brokerage.domain.accounts.account import Account, AccountFeed, TradingState
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.mark import Mark, day_of, mark_of
from brokerage.domain.market.ticks import MarketEvent, SeenMarket, ends_ns
from brokerage.domain.orders.events import EventTime
from brokerage.domain.risk.fence import VenueKind
from brokerage.feeds.carried import CarriedAccount
from brokerage.feeds.steps import AccountSteps, testing
from brokerage.market.context import MarketContext
from brokerage.orders import journal
from brokerage.orders.margin import call_margin
from brokerage.orders.working import load_open_orders
from brokerage.venues.dispatch.emulation import release_touched
from qmtl.core.errors import QmtlError
from qmtl.sql.database import signal

log = structlog.stdlib.get_logger("qmtl.brokerage.feeds")


def show_bars(
    conn: Connection,
    market: MarketContext,
    source: tuple[str, str],
    bars: Sequence[MarketEvent],
    watermark_ns: int,
    now_ns: int,
    *,
    ended: bool = False,
) -> int:
    """Show the next bars or ticks of a feed, a preset and a replay session, to every account on it; how many fills that
    made. All ticks of one instant come together. `ended`: the session has no more.

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

    bars: Sequence[MarketEvent]
    watermark_ns: int
    now_ns: int

    def beyond(self, feed: AccountFeed) -> tuple[list[MarketEvent], int]:
        """The bars or ticks that a feed has not had, and how far it is with them."""
        fresh = [event for event in self.bars if ends_ns(event) > feed.position_ns]
        return fresh, max([feed.position_ns, self.watermark_ns, *map(ends_ns, fresh)])


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
        _halt(conn, market, account, feeds, shown, str(error))
        return 0
    return fills


def _halt(
    conn: Connection, market: MarketContext, account: Account, feeds: Sequence[AccountFeed], shown: Shown, error: str
) -> None:
    """Take an account out of trading that could not take its bars: it is moved past them with its orders as they were,
    and an operator decides. What time costs and brings goes on as far as it can be told.
    """
    ends = [shown.beyond(feed)[1] for feed in feeds]
    account = replace(account, trading_state=TradingState.HALTED, missed_ns=max([account.missed_ns, *ends]))
    accounts_store.save_account(conn, account)
    detail = f"bars up to {max(map(ends_ns, shown.bars), default=shown.watermark_ns)} ns had no effect: {error}"
    audit.record(conn, shown.now_ns, ("brokerage", ""), "feed_failed", account.account, detail)
    log.error("feed_failed", account=account.account, error=error)
    try:
        with conn.begin_nested():
            for feed in feeds:
                account = _pass_by(conn, market, account, feed, shown)
    except QmtlError as unpaid:
        log.error("money_not_carried", account=account.account, error=str(unpaid))
        for feed in feeds:
            _lose(conn, market, account, feed, shown)
        return
    try:
        with conn.begin_nested():
            if market.of(account).kind is VenueKind.PAPER:
                account = call_margin(conn, market, account, shown.now_ns)
            _watched(conn, market, account, shown.bars, shown.now_ns)
    except QmtlError as unknown:
        log.error("margin_not_judged", account=account.account, error=str(unknown))


def _pass_by(conn: Connection, market: MarketContext, account: Account, feed: AccountFeed, shown: Shown) -> Account:
    """Move an account past the bars or ticks of a feed without fills. Its money goes on, and what companies do
    meanwhile is done to its positions and orders.
    """
    fresh, progress = shown.beyond(feed)
    left = price_after(fresh, feed.mark)
    moved = account.moved(_save_progress(conn, account.account, feed, left, progress, fresh))
    if not fresh or market.of(account).kind is not VenueKind.PAPER:
        return moved
    money = CarriedAccount(account, load_open_orders(conn, market, account), feed.symbol)
    done = AccountSteps(conn, market, money, shown.now_ns).pass_by(fresh, prices_of(fresh, feed.mark))
    account = journal.record(conn, money.carried(moved), done)
    money.save(conn, account, shown.now_ns)
    return account


def _lose(conn: Connection, market: MarketContext, account: Account, feed: AccountFeed, shown: Shown) -> None:
    """Move an account past bars or ticks that cannot even be passed by. What a company did in them is still to be done:
    until then old shares keep the price of old shares.
    """
    fresh, progress = shown.beyond(feed)
    last_ns, actions = max(map(ends_ns, fresh), default=0), market.of(account).actions.get(feed.symbol, ())
    acts = any(feed.position_ns < action.at_ns <= last_ns for action in actions)
    _save_progress(conn, account.account, feed, None if acts else price_after(fresh, feed.mark), progress, fresh)


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
    done = AccountSteps(conn, market, money, shown.now_ns).take(fresh, progress) if money else []
    mark = money.view.marks.get(feed.symbol) if money else None
    account = account.moved(_save_progress(conn, account.account, feed, mark, progress, fresh))
    account = journal.record(conn, account if money is None else money.carried(account), done)
    if money is not None:
        money.save(conn, account, shown.now_ns)
    if fresh:
        account = call_margin(conn, market, account, shown.now_ns)
    account = _watched(conn, market, account, fresh, shown.now_ns)
    return account, sum(event.fill is not None for _, event in done)


def _watched(
    conn: Connection, market: MarketContext, account: Account, fresh: Sequence[MarketEvent], now_ns: int
) -> Account:
    """The account, with its drawdown looked at after a bar."""
    return watch_drawdown(conn, market, account, now_ns) if fresh and market.limits.drawdown_max else account


def _mark(
    conn: Connection,
    market: MarketContext,
    account: Account,
    feed: AccountFeed,
    progress: EventTime,
    bars: Sequence[MarketEvent],
) -> Account:
    """Show bars to an account at an exchange, which fills its orders and moves its money: they are prices, and may let
    go what is watched here.
    """
    books = load_open_orders(conn, market, account).books.values() if bars else ()
    instrument = market.of(account).instruments.find(feed.symbol)
    done = [
        (book, event)
        for shown in bars
        for bar in testing(instrument, shown)
        for book in books
        for event in release_touched(
            conn, market, account, book, (feed.symbol, bar), EventTime(bar.end_ns, progress.received_ns)
        )
    ]
    mark = price_after(bars, feed.mark) if bars else None
    moved = account.moved(_save_progress(conn, account.account, feed, mark, progress.at_ns, bars))
    return journal.record(conn, moved, done) if done else moved


def prices_of(events: Sequence[MarketEvent], mark: Mark | None) -> Iterator[Mark | None]:
    """The price that each event leaves; where it leaves none, the one before."""
    seen = SeenMarket()
    for event in events:
        if isinstance(event, Bar):
            mark = mark_of(event)
        else:
            seen.show(event)
            mark = seen.value() or mark
        yield mark


def price_after(events: Sequence[MarketEvent], mark: Mark | None) -> Mark | None:
    """The price that events leave, by themselves; where they leave none, the one before."""
    for left in prices_of(events, mark):
        mark = left
    return mark


def _save_progress(
    conn: Connection, name: str, feed: AccountFeed, mark: Mark | None, progress: int, fresh: Sequence[MarketEvent]
) -> AccountFeed:
    """Store how far an account is along a feed, the price that the feed has brought (None: none new), and the last
    prices of the days that this ended.
    """
    moved = replace(feed, position_ns=progress)
    if mark is not None:
        _save_days(conn, feed, mark, fresh)
        moved = replace(moved, mark=mark)
        accounts_store.save_mark(conn, moved, mark)
    accounts_store.save_position(conn, name, moved)
    return moved


def _save_days(conn: Connection, feed: AccountFeed, mark: Mark, fresh: Sequence[MarketEvent]) -> None:
    last = feed.mark
    if fresh and day_of(ends_ns(fresh[0]) if last is None else last.at_ns) == day_of(mark.at_ns):
        return
    for left in prices_of(fresh, feed.mark):
        if last is not None and left is not None and day_of(last.at_ns) < day_of(left.at_ns):
            accounts_store.save_day_mark(conn, feed, last)
        last = left
