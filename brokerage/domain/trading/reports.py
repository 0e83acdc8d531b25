"""What a venue reports of an order, booked: the order's next event, and with a fill its owner's position and cash."""

from __future__ import annotations

from collections.abc import Iterable

from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.events import EventTime, Fill, OrderEvent
from brokerage.domain.orders.record import OrderRecord, WorkedTerms, happened
from brokerage.domain.orders.reports import VenueReport
from brokerage.domain.orders.states import EventKind, OrderState
from qmtl.core.errors import NotFound

UNKNOWN = "UNKNOWN: no answer came; the venue will be asked, nothing is sent again"


def book_reports(book: StrategyBook, reports: Iterable[VenueReport]) -> list[OrderEvent]:
    """Book reports one by one: each is booked before the next is made."""
    return [book_report(book, report) for report in reports]


def book_report(book: StrategyBook, report: VenueReport) -> OrderEvent:
    """Book what a venue reported. Raises Conflict (ORDER_EVENT_ILLEGAL) for what cannot happen to the order."""
    record = book.record(report.order_id)
    if report.fill is not None:
        if record.instrument is None:
            raise NotFound("E_INSTRUMENT_UNKNOWN", f"order {record.id} cannot fill without an instrument")
        book.ledger.book(record.instrument, record.order.side, report.fill)
    after, event = happened(
        record, report.kind, report.time, fill=report.fill, detail=report.reason, terms=_terms(record, report)
    )
    book.keep(after)
    return event


def _terms(record: OrderRecord, report: VenueReport) -> WorkedTerms:
    """What is worked after a report: the order's own terms, with the prices that it says were moved."""
    limit = record.limit if report.limit is None else report.limit
    stop = record.stop if report.stop is None else report.stop
    return WorkedTerms(record.quantity, limit, stop, record.expire_ns)


def book_fill(book: StrategyBook, order_id: str, fill: Fill, time: EventTime) -> OrderEvent:
    """Book a fill the venue reported, whatever state its order is in. The caller has seen that it is new."""
    return book_report(book, VenueReport(order_id, EventKind.FILLED, time, fill))


def lose(book: StrategyBook, order_id: str, time: EventTime) -> list[OrderEvent]:
    """No answer came: the outcome is unknown from now on, which is not a rejection."""
    record = book.record(order_id)
    if record.unresolved or not record.on_the_wire:
        return []
    pending = record.state is OrderState.PENDING_CANCEL
    kind = EventKind.PENDING_CANCEL if pending else EventKind.UPDATED
    after, event = happened(record, kind, time, detail=UNKNOWN, unresolved=True)
    book.keep(after)
    return [event]
