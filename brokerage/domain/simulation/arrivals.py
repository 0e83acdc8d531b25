"""When orders reach the simulated venue, and which answers come back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.events import EventTime
from brokerage.domain.orders.record import OrderRecord, happened
from brokerage.domain.orders.reports import VenueReport
from brokerage.domain.orders.states import EventKind, OrderState

NOT_AT_VENUE = "NOT_AT_VENUE: the venue does not have it; nothing is sent again"
FOUND = "FOUND: the venue has it, its answer was lost"


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the venue knows of an order: the data time from which it works there, and whether its answer was lost."""

    at_ns: int
    answer_lost: bool


class OrderArrivals:
    """Arrivals at the venue of orders whose outcome is not known yet, by order id."""

    def __init__(self, arrivals: Mapping[str, Arrival]) -> None:
        self._arrivals = arrivals

    def at_venue(self, record: OrderRecord, at_ns: int) -> bool:
        """Whether an order that nobody was told about works at the venue by a time."""
        arrival = self._arrivals.get(record.id)
        return record.on_the_wire and arrival is not None and arrival.at_ns <= at_ns

    def answers(self, book: StrategyBook, at_ns: int, received_ns: int) -> Iterator[VenueReport]:
        """Answers to every order that has arrived by a time, but for those that were lost."""
        if self._arrivals:
            for record in book.open_orders():
                if self.at_venue(record, at_ns) and not self._arrivals[record.id].answer_lost:
                    yield self.answer(record, received_ns)

    def answer(self, record: OrderRecord, received_ns: int, reason: str = "") -> VenueReport:
        """The venue says that it has the order; a cancel that waited for this is done."""
        kind = EventKind.CANCELED if record.state is OrderState.PENDING_CANCEL else EventKind.ACCEPTED
        return VenueReport(record.id, kind, EventTime(self._arrivals[record.id].at_ns, received_ns), reason=reason)

    def works_unheard(self, record: OrderRecord, at_ns: int) -> bool:
        """Whether an order whose answer was lost works at the venue by a time all the same."""
        return self.at_venue(record, at_ns) and record.state is OrderState.SUBMITTED

    def accepted_unheard(self, record: OrderRecord, received_ns: int) -> tuple[OrderRecord, VenueReport]:
        """The order as the venue has it, and the news of that, for what happens to it there to be told after."""
        learned = self.answer(record, received_ns, FOUND)
        return happened(record, learned.kind, learned.time, detail=learned.reason)[0], learned

    def query(self, record: OrderRecord, time: EventTime) -> VenueReport | None:
        """What the venue says of an order whose outcome is unknown; None while it may still be on its way."""
        if record.id not in self._arrivals:
            return VenueReport(record.id, EventKind.CANCELED, time, reason=NOT_AT_VENUE)
        return self.answer(record, time.received_ns, FOUND) if self.at_venue(record, time.at_ns) else None


def told_first(learned: VenueReport, reports: Iterable[VenueReport]) -> Iterator[VenueReport]:
    """Reports after the news that comes before them; where there are none it is not told either."""
    for number, report in enumerate(reports):
        if not number:
            yield learned
        yield report


NO_ARRIVALS = OrderArrivals({})
"""A venue that answers at once: nothing is ever on its way."""
