"""Measures of accounts read from the store. Days that are over are computed once, and anew when a late fill comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts import store as accounts_store
from brokerage.books.load import load_view
from brokerage.books.payments import load_payments
from brokerage.domain.accounts.account import Account
from brokerage.domain.backtest.booked import BookedFill
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import DAY_NS, SECOND_NS, Mark
from brokerage.domain.measures.daily import Booked, DailyBooks, StrategyDays, daily_books, is_strategy
from brokerage.domain.measures.scope import AccountMeasure, Holding, ShareSet
from brokerage.domain.orders.order import Owner, Side
from brokerage.domain.orders.venue_traits import PAPER
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.exposure import exposure_of
from brokerage.market.context import MarketContext
from brokerage.orders import store as orders_store
from brokerage.orders.store import OrdersOf
from qmtl.calendars.published import hours_around
from qmtl.core.errors import NotReady

PAGE = 1_000


@dataclass(frozen=True, slots=True)
class _Days:
    """Days of an account up to `through_day`, and the places of its fills, payments and feeds they were computed at."""

    through_day: int
    fill: int
    payment: int
    feeds: tuple[int, ...]
    books: DailyBooks


class Measures:
    """Reads measures of accounts; one caller at a time. What it keeps is computed from the store alone."""

    def __init__(self, market: MarketContext) -> None:
        self._market = market
        self._days: dict[str, _Days] = {}

    def account(self, conn: Connection, account: Account, now_ns: int, shares: tuple[ShareSet, ...]) -> AccountMeasure:
        """An account as it stands. `shares` are the sets of allocated shares, oldest first.

        Raises NotReady (E_RISK_INPUT, E_VENUE_UNCONFIGURED), InvalidRequest (E_CURRENCIES, E_ACCOUNT_OTHER_DATA),
        NotFound (E_INSTRUMENT_UNKNOWN): it cannot be measured.
        """
        view = load_view(conn, self._market, account)
        live = account.venue != PAPER.name
        holdings = tuple(_holdings(account, view))
        books = self._daily(conn, account, now_ns)
        return AccountMeasure(
            account=account.account,
            worlds=accounts_store.worlds_of(conn, [account.account])[account.account],
            live=live,
            currency=account.base_currency,
            sequence=account.event_sequence,
            as_of_ns=_as_of(account, holdings, live, now_ns),
            equity=view.equity(),
            days=_holders(books.strategies, holdings),
            others=_other_holders(books.others, holdings),
            shares=shares,
            holdings=holdings,
        )

    def _daily(self, conn: Connection, account: Account, now_ns: int) -> DailyBooks:
        through, known = through_day(account, now_ns), self._days.get(account.account)
        feeds = tuple(feed.position_ns // DAY_NS for feed in account.feeds)
        fill, payment, oldest_ns = _news(conn, account.account, known)
        fresh = known is not None and (known.through_day, known.feeds) == (through, feeds)
        if known is None or not fresh or oldest_ns <= (through + 1) * DAY_NS:
            books = self._computed(conn, account, through)
        else:
            books = known.books
        self._days[account.account] = _Days(through, fill, payment, feeds, books)
        return books

    def _computed(self, conn: Connection, account: Account, through: int) -> DailyBooks:
        instruments = self._market.of(account).instruments
        booked: list[Booked] = [(paid.owner, paid) for _, paid in load_payments(conn, account.account, instruments)]
        traded: dict[str, Instrument] = {}
        for owner, entry in self._fills(conn, account):
            traded[entry.instrument.symbol] = entry.instrument
            booked.append((owner, entry))
        closes = {one: _closes(conn, account, one.symbol) for one in traded.values()}
        return daily_books(account.base_currency, account.starting_cash, closes, booked, through)

    def _fills(self, conn: Connection, account: Account) -> Iterator[tuple[Owner, BookedFill]]:
        instruments, reached = self._market.of(account).instruments, 0
        of = OrdersOf(account.account)
        while page := orders_store.fills_after(conn, of, reached, PAGE, instruments):
            for stored, event, _ in page:
                instrument = stored.record.instrument
                if event.fill is not None and instrument is not None:
                    yield stored.order.owner, BookedFill(instrument, stored.order.side, event.fill, event.at_ns)
            reached = page[-1][2]


def through_day(account: Account, now_ns: int) -> int:
    """The last UTC day that is over for an account: by the time of its replay, else by the clock, once its feeds have
    brought that day's end.
    """
    replayed = bool(account.feeds) and all(feed.session_id for feed in account.feeds)
    if replayed:
        return account.shown_ns // DAY_NS - 1
    day = now_ns // DAY_NS - 1
    return day - 1 if any(feed.waits_for((day + 1) * DAY_NS) for feed in account.feeds) else day


def _news(conn: Connection, name: str, known: _Days | None) -> tuple[int, int, int]:
    """The last fill and payment of an account, and when the oldest of those that are new was booked."""
    fill, payment = (0, 0) if known is None else (known.fill, known.payment)
    fills, events, paid = t.fills.c, t.order_events.c, t.payments.c
    joined = t.fills.join(t.order_events, sa.and_(fills.order_id == events.order_id, fills.seq == events.seq))
    new_fills = conn.execute(
        sa.select(sa.func.max(fills.sequence), sa.func.min(events.at_ns))
        .select_from(joined)
        .where(fills.account == name, fills.sequence > fill)
    ).one()
    new_payments = conn.execute(
        sa.select(sa.func.max(paid.id), sa.func.min(paid.at_ns)).where(paid.account == name, paid.id > payment)
    ).one()
    oldest = min((int(at) for _, at in (new_fills, new_payments) if at is not None), default=1 << 62)
    return int(new_fills[0] or fill), int(new_payments[0] or payment), oldest


def _closes(conn: Connection, account: Account, symbol: str) -> dict[int, int]:
    feed = account.feed(symbol)
    return {} if feed is None else accounts_store.day_marks(conn, feed)


def _holdings(account: Account, view: AccountView) -> Iterator[Holding]:
    """What is held or worked by each owner, in order."""
    for owner, book in sorted(view.books.items(), key=lambda one: (one[0].world_id, one[0].strategy_id)):
        for symbol in sorted(book.symbols()):
            held = book.held(symbol)
            buys, sells = (book.open_totals(symbol, side).reach(side, held) for side in Side)
            if not (held or buys or sells):
                continue
            instrument = view.instruments.find(symbol) or book.ledger.instruments.get(symbol)
            mark = view.marks.get(symbol)
            if instrument is None or mark is None:
                raise _missing(account, f"{symbol} has no price")
            notional = view.in_base(instrument.notional(mark.price, held), instrument.quote)
            worst = exposure_of(instrument, mark.price, held, buys, sells).gross
            gross = view.in_base(worst, instrument.quote)
            if notional is None or gross is None:
                raise _missing(account, f"{symbol} in {instrument.quote} has no worth in {account.base_currency}")
            yield Holding(owner, instrument, held, mark.price, notional, max(gross - abs(notional), 0))


def _holders(days: Mapping[Owner, StrategyDays], holdings: tuple[Holding, ...]) -> dict[Owner, StrategyDays]:
    """The days of each strategy, with those that began to hold something since the last whole day."""
    began = (one.owner for one in holdings if one.quantity and is_strategy(one.owner))
    return {**dict.fromkeys(began, StrategyDays({}, {})), **days}


def _other_holders(days: Mapping[Owner, StrategyDays], holdings: tuple[Holding, ...]) -> dict[Owner, StrategyDays]:
    """The days of who holds something now and is no strategy."""
    holders = {one.owner for one in holdings if one.quantity and not is_strategy(one.owner)}
    return {owner: days.get(owner, StrategyDays({}, {})) for owner in sorted(holders, key=_key)}


def _key(owner: Owner) -> tuple[str, str]:
    return owner.world_id, owner.strategy_id


def _as_of(account: Account, holdings: tuple[Holding, ...], live: bool, now_ns: int) -> int:
    """Up to when the prices of what is held hold: that of a bar until the next one is due, that of a closed exchange
    until it opens, that of a replay always, since its account knows no newer one. In whole seconds.
    """
    holds = [now_ns]
    for one in holdings:
        feed = account.feed(one.instrument.symbol)
        if feed is None or feed.mark is None or (feed.session_id and not live) or _is_shut(one.instrument, now_ns):
            continue
        holds.append(max(_until(feed.mark), feed.position_ns + feed.interval_s * SECOND_NS))
    return min(holds) // SECOND_NS * SECOND_NS


def _until(mark: Mark) -> int:
    return mark.at_ns + mark.bar_ns


def _is_shut(instrument: Instrument, now_ns: int) -> bool:
    return bool(instrument.calendar) and not hours_around(instrument.calendar, now_ns).is_open(now_ns, extended=True)


def _missing(account: Account, what: str) -> NotReady:
    return NotReady(
        "E_RISK_INPUT", f"account:{account.account} cannot be measured: {what}", hint="nothing is put in its place"
    )
