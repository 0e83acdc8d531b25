"""The profit of each strategy of an account on each UTC day, after fees and funding, from its fills and payments.

Books are valued by `booked_equity`, as those of paper metrics are, at the last price of each day. A day is known where
all that is held at its end has a price of that day, or an exchange that was closed on it; a gap is never filled.
Money moved in or out of the account is nobody's profit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.backtest.booked import BookedEquity, BookedFill, Entry, booked_equity
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.market.bars import BarColumns, Units
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import DAY_NS, day_of
from brokerage.domain.orders.order import Owner
from qmtl.calendars.published import hours_around
from qmtl.core.errors import refused

MOVED = frozenset({CashKind.DEPOSIT, CashKind.TRANSFER})
EPOCH = date(1970, 1, 1).toordinal()

Booked = tuple[Owner | None, Entry]
"""What was booked, and whose it is; None: the account's own."""
Closes = Mapping[Instrument, Mapping[int, int]]
"""The last price of each UTC day (counted from the epoch) by instrument, at its scale."""


@dataclass(frozen=True, slots=True)
class StrategyDays:
    """Profit and the account's equity at the start of each UTC day, in scaled currency; `closed` are the days on which
    every exchange that the strategy trades at was closed.
    """

    profits: Mapping[int, int]
    equity: Mapping[int, int]
    closed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DailyBooks:
    """An account by UTC day. `own` are days of what is nobody's: interest on its cash. `others` are those of who trades
    and is no strategy: people by hand, the venue, hedges of worlds.
    """

    strategies: Mapping[Owner, StrategyDays]
    own: StrategyDays
    others: Mapping[Owner, StrategyDays]


def is_strategy(owner: Owner | None) -> bool:
    """Whether an owner is a strategy: people, the venue and hedges trade under names that none has."""
    return owner is not None and not owner.strategy_id.startswith("@") and not owner.world_id.startswith("@")


def daily_books(
    currency: str, starting_cash: int, closes: Closes, booked: Sequence[Booked], through_day: int
) -> DailyBooks:
    """Profits of all days up to `through_day`, included. Of an account with one strategy, interest on
    its cash counts as the strategy's; with several it is nobody's.

    Raises InvalidRequest (E_CURRENCIES, E_ACCOUNT_OTHER_DATA).
    """
    end_ns = (through_day + 1) * DAY_NS
    booked = [(owner, entry) for owner, entry in booked if entry.at_ns <= end_ns]
    _require_currency(currency, (entry for _, entry in booked))
    timeline = Timeline(_columns(instrument, prices, through_day) for instrument, prices in closes.items())
    owners = sorted({owner for owner, _ in booked if owner is not None}, key=_text)
    strategies = [owner for owner in owners if is_strategy(owner)]
    parts: dict[Owner | None, list[Entry]] = {None: [], **{owner: [] for owner in owners}}
    moved: list[Entry] = []
    for owner, entry in booked:
        to = strategies[0] if owner is None and len(strategies) == 1 else owner
        (moved if _is_moved(owner, entry) else parts[to]).append(entry)
    if not len(timeline):
        days: dict[Owner | None, StrategyDays] = dict.fromkeys(parts, StrategyDays({}, {}))
        return _divided(days)
    books = {owner: _Book(timeline, currency, entries, closes) for owner, entries in parts.items()}
    start = _equity(timeline, currency, starting_cash, moved, books.values())
    days = {owner: book.days(start, through_day) for owner, book in books.items()}
    return _divided(days)


def _divided(days: Mapping[Owner | None, StrategyDays]) -> DailyBooks:
    known = {owner: one for owner, one in days.items() if owner is not None}
    strategies = {owner: one for owner, one in known.items() if is_strategy(owner)}
    return DailyBooks(strategies, days[None], {owner: one for owner, one in known.items() if owner not in strategies})


class _Book:
    """What one owner's entries came to at the ends of days."""

    def __init__(self, timeline: Timeline, currency: str, entries: list[Entry], closes: Closes) -> None:
        found = booked_equity(timeline, currency, 0, entries)
        self.total = found.equity
        self.steps = {int(end) // DAY_NS - 1: step for step, end in enumerate(timeline.ends.tolist())}
        self.first_day = min((day_of(entry.at_ns) for entry in entries), default=None)
        self._traded = [one for one in closes if one.symbol in found.held]
        self.known = self._known(found, closes)

    def _known(self, found: BookedEquity, closes: Closes) -> npt.NDArray[np.bool_]:
        known = np.ones(len(self.total), dtype=np.bool_)
        for instrument in self._traded:
            held, prices = found.held[instrument.symbol], closes[instrument]
            for day, step in self.steps.items():
                if held[step] and day not in prices and not is_closed(instrument, day):
                    known[step] = False
        return known

    def days(self, start: _Start, through_day: int) -> StrategyDays:
        """Profits of the days whose end is known, as is the end of the last day before them that was open."""
        if self.first_day is None:
            return StrategyDays({}, {})
        profits: dict[int, int] = {}
        equity: dict[int, int] = {}
        closed: list[int] = []
        before: int | None = 0
        for day in range(self.first_day, through_day + 1):
            if self._traded and all(is_closed(one, day) for one in self._traded):
                closed.append(day)
                continue
            step = self.steps.get(day)
            now = int(self.total[step]) if step is not None and self.known[step] else None
            at_start = start.of(day)
            if now is not None and before is not None and at_start is not None:
                profits[day], equity[day] = now - before, at_start
            before = now
        return StrategyDays(profits, equity, tuple(closed))


@dataclass(frozen=True, slots=True)
class _Start:
    """The account's equity at the ends of steps; None where a part of it is not known."""

    cash: int
    days: tuple[int, ...]
    equity: tuple[int | None, ...]

    def of(self, day: int) -> int | None:
        """Equity at the start of a day: at the end of the last day before it that has a price."""
        at = int(np.searchsorted(self.days, day)) - 1
        return self.cash if at < 0 else self.equity[at]


def _equity(timeline: Timeline, currency: str, cash: int, moved: list[Entry], books: Iterable[_Book]) -> _Start:
    total = booked_equity(timeline, currency, cash, moved).equity.astype(np.object_)
    known = np.ones(len(total), dtype=np.bool_)
    for book in books:
        total = total + book.total
        known &= book.known
    days = tuple(int(end) // DAY_NS - 1 for end in timeline.ends.tolist())
    return _Start(cash, days, tuple(int(one) if sure else None for one, sure in zip(total, known, strict=True)))


def day_return(profit: int, capital: Fraction) -> float | None:
    """Profit over capital at the day's start; None without capital: no value, never 0."""
    return float(Fraction(profit) / capital) if capital > 0 else None


def is_closed(instrument: Instrument, day: int) -> bool:
    """Whether an instrument's exchange has no session on a UTC day; one without a calendar never closes.

    Raises InvalidRequest (E_CALENDAR_RANGE).
    """
    if not instrument.calendar:
        return False
    return not hours_around(instrument.calendar, day * DAY_NS).is_trading_day(date.fromordinal(EPOCH + day))


def _columns(instrument: Instrument, prices: Mapping[int, int], through_day: int) -> BarColumns:
    """Last prices as bars of a day."""
    days = sorted(day for day in prices if day <= through_day)
    close = Units(np.array([prices[day] for day in days], dtype=np.object_))
    start = np.array(days, dtype=np.int64) * DAY_NS
    return BarColumns(instrument, start, DAY_NS, close, close, close, close, close)


def _is_moved(owner: Owner | None, entry: Entry) -> bool:
    return owner is None and not isinstance(entry, BookedFill) and entry.kind in MOVED


def _require_currency(currency: str, entries: Iterable[Entry]) -> None:
    """Raises InvalidRequest (E_CURRENCIES): what is in several currencies has no profit in one by these prices."""
    for entry in entries:
        if isinstance(entry, BookedFill):
            instrument, fill = entry.instrument, entry.fill
            others = {instrument.quote} - {currency}
            if fill.fee and fill.fee_currency != currency and not instrument.withholds(fill.fee_currency):
                others.add(fill.fee_currency)
        else:
            others = {entry.currency} - {currency} if entry.amount else set()
        if others:
            raise refused("E_CURRENCIES", "account", f"money in {', '.join(sorted(others))}", f"all in {currency}")


def _text(owner: Owner) -> tuple[str, str]:
    return owner.world_id, owner.strategy_id
