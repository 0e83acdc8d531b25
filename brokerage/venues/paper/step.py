"""What bars do to the orders of an account on the paper venue."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.bars import Bar
from brokerage.domain.models.fees.volumes import TradedVolumes
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.simulation.arrivals import NO_ARRIVALS, OrderArrivals
from brokerage.domain.simulation.exchange import SimulatedExchange
from brokerage.domain.trading.reports import book_reports
from brokerage.fences import intents
from brokerage.venues.paper import store
from qmtl.sql.database import signal


class PaperStep:
    """The open orders of one account, bar by bar: what has arrived is heard, what rests may fill."""

    def __init__(self, view: AccountView, arrivals: OrderArrivals, volumes: TradedVolumes) -> None:
        self._arrivals = arrivals
        self._volumes = volumes
        self._exchange = SimulatedExchange(view.profile, arrivals, volumes)
        owners = sorted(view.books, key=lambda owner: owner.strategy_id)
        self.books = [view.books[owner] for owner in owners if view.books[owner].open_orders()]

    def on_bar(self, book: StrategyBook, symbol: str, bar: Bar, now_ns: int) -> list[OrderEvent]:
        """What one bar does to one owner's orders."""
        heard = book_reports(book, self._arrivals.answers(book, bar.start_ns, now_ns))
        time = EventTime(bar.end_ns, now_ns)
        return heard + book_reports(book, self._exchange.on_bar(book, symbol, bar, time))

    def end(self, conn: Connection, account: Account) -> None:
        """Store what of the venue's own memory the bars have changed."""
        if self._volumes.changed:
            store.save_volumes(conn, account.account, self._volumes)

    def answers(self, progress: EventTime) -> Iterator[tuple[StrategyBook, OrderEvent]]:
        """What is heard once the bars are through."""
        for book in self.books:
            answers = self._arrivals.answers(book, progress.at_ns, progress.received_ns)
            for event in book_reports(book, answers):
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
    return PaperStep(view, arrivals, volumes)
