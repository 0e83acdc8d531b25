"""Bars and ticks of one symbol as one account on paper meets them, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import Mark, mark_of
from brokerage.domain.market.ticks import MarketEvent, SeenMarket, Tick, as_instant, ends_ns, first_price, tested_bar
from brokerage.domain.models.corporate import Ending, Expiry, Split
from brokerage.domain.models.day_orders import opened_ns
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.simulation.corporate import acted_before, opened_before
from brokerage.domain.trading.netted import end_overtaken, with_shares
from brokerage.feeds.carried import CarriedAccount
from brokerage.market.context import MarketContext
from brokerage.orders.entry.contingencies import settle_lists
from brokerage.venues.dispatch.emulation import release_touched
from brokerage.venues.paper import step, store


class AccountSteps:
    """What has arrived is heard, what rests may fill, what is watched may be let go; and between them what time brings.
    `now_ns` is when the bars and ticks came.
    """

    def __init__(self, conn: Connection, market: MarketContext, money: CarriedAccount, now_ns: int) -> None:
        self._conn, self._market, self._money, self._now_ns = conn, market, money, now_ns
        self._account, self._symbol = money.account, money.symbol
        self._instrument = money.view.instruments.find(money.symbol)
        actions = market.of(money.account).actions
        self._actions = actions.get(money.symbol, ())
        self._endings = [one for each in actions.values() for one in each if isinstance(one, Ending)]
        self._venue = step.begin(conn, money.account, money.view)
        self._done: list[tuple[StrategyBook, OrderEvent]] = []
        self._seen: SeenMarket | None = None

    def take(self, events: Sequence[MarketEvent], progress_ns: int) -> list[tuple[StrategyBook, OrderEvent]]:
        """Meet bars or ticks in order; `progress_ns` is how far the feed is with them. What became of orders."""
        for event in events:
            if isinstance(event, Bar):
                self._bar(event)
            else:
                self._tick(event)
        if self._seen is not None:
            store.save_seen_market(self._conn, self._account.account, self._symbol, self._seen)
        self._venue.end(self._conn, self._account)
        answers = self._venue.answers(EventTime(progress_ns, self._now_ns), self._then)
        return [*self._done, *with_shares(self._money.view, answers)]

    def pass_by(
        self, events: Sequence[MarketEvent], marks: Iterable[Mark | None]
    ) -> list[tuple[StrategyBook, OrderEvent]]:
        """Meet bars or ticks that do nothing to orders, with the price that each leaves: money goes on, and what
        companies do meanwhile is done. What that did to orders.
        """
        for event, mark in zip(events, marks, strict=True):
            if isinstance(event, Bar):
                self._money.advance(event.start_ns, self._done)
                self._act(event)
            elif (price := first_price(event)) is not None and self._act(as_instant(event, price)):
                store.save_seen_market(self._conn, self._account.account, self._symbol, SeenMarket())
            self._money.pass_by(event, mark)
        return self._done

    def _end_overtaken(self, book: StrategyBook, time: EventTime) -> None:
        """End netted orders before they take a strategy through zero that sold on its own what they were to reduce."""
        self._done += [(book, event) for event in end_overtaken(self._money.view, book, self._symbol, time)]

    def _book(self, book: StrategyBook, made: Sequence[OrderEvent]) -> None:
        """Keep what became of one owner's orders, with what it brought the shares of netted ones."""
        self._done += with_shares(self._money.view, [(book, event) for event in made])

    def _bar(self, bar: Bar) -> None:
        self._money.advance(bar.start_ns, self._done)
        self._act(bar)
        # what lists are made to do is judged by the price there is then
        self._money.view.marks[self._symbol] = mark_of(bar)
        for book in self._venue.books:
            self._end_overtaken(book, EventTime(bar.start_ns, self._now_ns))
            made = self._venue.on_bar(book, self._symbol, bar, self._now_ns, self._then)
            self._book(book, [*made, *self._let_go(book, bar)])
        self._money.advance(bar.end_ns, self._done)

    def _tick(self, tick: Tick) -> None:
        if self._instrument is None:
            return
        seen = self._seen = self._seen or store.seen_market(self._conn, self._account.account, self._symbol)
        price = first_price(tick)
        if price is not None and self._act(as_instant(tick, price)):
            seen.forget()
        time = EventTime(tick.at_ns, self._now_ns)
        for book in self._venue.books:
            self._end_overtaken(book, time)
            made = self._venue.arriving(book, self._symbol, seen, time, self._then)
            self._book(book, made)
        self._money.advance(tick.at_ns, self._done)
        self._venue.show(seen, tick, self._instrument.lot)
        value = seen.value()
        if value is not None:
            self._money.view.marks[self._symbol] = value
        for book in self._venue.books:
            self._end_overtaken(book, time)
            made = self._venue.on_tick(book, self._symbol, seen, tick, self._now_ns, self._then)
            self._book(book, [*made, *self._let_go(book, tick)])

    def _act(self, bar: Bar) -> bool:
        """Apply what the company did before a bar, or a tick as one; whether it split its shares."""
        if self._instrument is None:
            return False
        opened = opened_ns(self._instrument, bar) if self._endings else 0
        before = opened_before(self._instrument, self._money.view.marks.get(self._symbol))
        for ending in self._endings:
            if ending.at_ns <= opened and self._has_last_price(ending):
                tells = before is None or before < ending.at_ns  # the first bar of the feed after it
                self._done += self._money.end(ending, bar.open, self._now_ns, self._done, tells=tells)
        if not self._actions:
            return False
        due = acted_before(self._instrument, bar, self._actions, before)
        for action in due:
            self._done += self._money.act(action, bar.open, self._now_ns, self._done)
        return any(isinstance(action, Split) for action in due)

    def _has_last_price(self, ending: Ending) -> bool:
        """Whether what an ending is settled at is known: of a contract that expires the last of its prices. That its
        feed is late, who follows it knows.
        """
        if not isinstance(ending, Expiry) or ending.symbol == self._symbol:
            return True
        return self._account.has_come(ending.symbol, ending.at_ns)

    def _let_go(self, book: StrategyBook, event: MarketEvent) -> list[OrderEvent]:
        """The stops watched here that an event reaches."""
        time, found = EventTime(ends_ns(event), self._now_ns), list[OrderEvent]()
        for bar in testing(self._instrument, event):
            shown = (self._symbol, bar)
            found += release_touched(self._conn, self._market, self._account, book, shown, time)
        return found

    def _then(self, book: StrategyBook, time: EventTime, list_id: str) -> list[OrderEvent]:
        return settle_lists(self._conn, self._market, self._account, self._money.view, book, time, list_id)


def testing(instrument: Instrument | None, event: MarketEvent) -> list[Bar]:
    """The prices by which an event tests stops that are watched here."""
    if isinstance(event, Bar):
        return [event]
    bar = None if instrument is None else tested_bar(instrument.trigger, event)
    return [] if bar is None else [bar]
