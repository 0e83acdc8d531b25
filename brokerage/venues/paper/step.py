"""What bars do to the orders of an account on the paper venue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

from sqlalchemy import Connection

from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.ticks import SeenMarket, Tick
from brokerage.domain.models.fees.volumes import TradedVolumes
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.reports import VenueReport
from brokerage.domain.orders.states import OrderState
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.simulation.arrivals import NO_ARRIVALS, OrderArrivals
from brokerage.domain.simulation.exchange import SimulatedExchange
from brokerage.domain.simulation.ticks import TickExchange
from brokerage.domain.trading.order_lists import book_with_lists
from brokerage.domain.trading.reports import book_reports
from brokerage.fences import intents
from brokerage.venues.paper import store
from qmtl.sql.database import signal

Changes = Callable[[OrderRecord, int], Iterable[VenueReport]]
"""What the venue has done to an order and nobody has heard of; with the time it is heard now."""

Then = Callable[[StrategyBook, EventTime, str], Sequence[OrderEvent]]
"""What a list of a book (its id; empty: every list) is made to do by what happened until a time."""


class PaperStep:
    """The open orders of one account, bar by bar: what has arrived is heard, what rests may fill."""

    def __init__(self, view: AccountView, arrivals: OrderArrivals, changes: Changes, volumes: TradedVolumes) -> None:
        self._arrivals = arrivals
        self._changes = changes
        self._volumes = volumes
        self._exchange = SimulatedExchange(view.profile, arrivals, volumes)
        self._ticks = TickExchange(view.profile, arrivals, volumes)
        owners = sorted(view.books, key=lambda owner: owner.strategy_id)
        self.books = [view.books[owner] for owner in owners if view.books[owner].open_orders()]

    def on_bar(self, book: StrategyBook, symbol: str, bar: Bar, now_ns: int, then: Then) -> list[OrderEvent]:
        """What one bar does to one owner's orders, and what each event of a list makes the list do before the next."""
        time = EventTime(bar.end_ns, now_ns)
        did = self._exchange.on_bar(book, symbol, bar, time)
        return self._heard(book, chain(self._before(book, bar.start_ns, now_ns), did), time, then)

    def arriving(
        self, book: StrategyBook, symbol: str, seen: SeenMarket, time: EventTime, then: Then
    ) -> list[OrderEvent]:
        """What became of one owner's orders between the last tick and the next, which is at `time`."""
        did = self._ticks.arriving(book, symbol, seen, time)
        return self._heard(book, chain(self._before(book, time.at_ns, time.received_ns), did), time, then)

    def show(self, seen: SeenMarket, tick: Tick, lot: int) -> None:
        """Let a market take the next tick over."""
        self._ticks.show(seen, tick, lot)

    def on_tick(
        self, book: StrategyBook, symbol: str, seen: SeenMarket, tick: Tick, now_ns: int, then: Then
    ) -> list[OrderEvent]:
        """What one tick, which `seen` has taken over, does to one owner's orders."""
        time = EventTime(tick.at_ns, now_ns)
        return self._heard(book, self._ticks.on_tick(book, symbol, seen, tick, time), time, then)

    def _heard(
        self, book: StrategyBook, reports: Iterable[VenueReport], time: EventTime, then: Then
    ) -> list[OrderEvent]:
        made = book_with_lists(book, reports, partial(then, book, time))
        return [*made, *then(book, time, "")]

    def _before(self, book: StrategyBook, at_ns: int, now_ns: int) -> Iterator[VenueReport]:
        """What was to be heard by an instant."""
        yield from self._arrivals.answers(book, at_ns, now_ns)
        yield from self._changes_of(book, now_ns)

    def end(self, conn: Connection, account: Account) -> None:
        """Store what of the venue's own memory the bars have changed."""
        if self._volumes.changed:
            store.save_volumes(conn, account.account, self._volumes)

    def _changes_of(self, book: StrategyBook, now_ns: int) -> Iterator[VenueReport]:
        """What the venue did before the bar: a bar meets orders as the venue has them, heard of or not."""
        for record in book.open_orders():
            if record.wanted is not None or record.state is OrderState.PENDING_CANCEL:
                yield from self._changes(record, now_ns)

    def answers(self, progress: EventTime, then: Then) -> Iterator[tuple[StrategyBook, OrderEvent]]:
        """What is heard once the bars are through, and what that makes lists do."""
        for book in self.books:
            answers = self._arrivals.answers(book, progress.at_ns, progress.received_ns)
            heard = book_reports(book, answers)
            for event in [*heard, *(then(book, progress, "") if heard else ())]:
                yield book, event


def begin(conn: Connection, account: Account, view: AccountView) -> PaperStep:
    """Prepare the orders of an account for bars; the venue is asked only where something is on the wire."""
    records = [record for book in view.books.values() for record in book.open_orders()]
    if any(not record.acknowledged for record in records):
        signal(conn, intents.WIRE_SIGNAL)
    on_the_wire = any(record.on_the_wire for record in records)
    arrivals = store.arrivals(conn, account.account) if on_the_wire else NO_ARRIVALS
    counted = records and view.profile.fee.counts is not None
    volumes = store.volumes(conn, account.account, view.instruments) if counted else TradedVolumes()
    return PaperStep(view, arrivals, partial(store.unheard_changes, conn), volumes)
