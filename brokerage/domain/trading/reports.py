"""What a venue reports of an order, booked: the order's next event, and with a fill its owner's position and cash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.events import EventTime, Fill, OrderEvent, WorkedTerms
from brokerage.domain.orders.record import TERMED, OrderRecord, happened
from brokerage.domain.orders.reports import Outcome, VenueAct, VenueAnswer, VenueReport
from brokerage.domain.orders.states import EventKind, OrderState, TimeInForce
from qmtl.core.errors import NotFound

UNKNOWN = "UNKNOWN: no answer came; the venue will be asked, nothing is sent again"
REPORTED = "REPORTED: the fill was told from outside"
"""What a fill says that no venue known here made: on paper it is nobody's evidence."""


def book_reports(book: StrategyBook, reports: Iterable[VenueReport]) -> list[OrderEvent]:
    """Book reports one by one: each is booked before the next is made."""
    return [book_report(book, report) for report in reports]


def book_report(book: StrategyBook, report: VenueReport) -> OrderEvent:
    """Book what a venue reported. Raises Conflict (ORDER_EVENT_ILLEGAL) for what cannot happen to the order."""
    record = book.record(report.order_id)
    if report.fill is not None:
        if record.instrument is None:
            raise NotFound("E_INSTRUMENT_UNKNOWN", f"order {record.id} cannot fill without an instrument")
        if not record.order.shares:  # else its shares are booked
            book.ledger.book(record.instrument, record.order.side, report.fill)
    terms = _terms(record, report) if report.kind in TERMED else None
    after, event = happened(record, report.kind, report.time, fill=report.fill, detail=report.reason, terms=terms)
    book.keep(after)
    return event


def _terms(record: OrderRecord, report: VenueReport) -> WorkedTerms:
    """What is worked after a report: a replace's terms, or the order's own with the prices that it says were moved."""
    if report.terms is not None:
        return report.terms
    limit = record.limit if report.limit is None else report.limit
    stop = record.stop if report.stop is None else report.stop
    return WorkedTerms(record.quantity, limit, stop, record.expire_ns, max(record.worst, report.stop or 0))


def book_found(book: StrategyBook, found: VenueReport) -> list[OrderEvent]:
    """Book what a query found. One that has expired there without IOC or FOK was there, though nobody heard of it: a
    market order for which there was nothing, one that would have met its owner's.
    """
    record = book.record(found.order_id)
    events: list[OrderEvent] = []
    unheard = found.kind is EventKind.EXPIRED and record.state is OrderState.SUBMITTED
    if unheard and record.order.tif not in (TimeInForce.IOC, TimeInForce.FOK):
        events.append(book_report(book, replace(found, kind=EventKind.ACCEPTED, reason="")))
    return [*events, book_report(book, found)]


def book_fill(book: StrategyBook, order_id: str, fill: Fill, time: EventTime) -> OrderEvent:
    """Book a fill the venue reported, whatever state its order is in. The caller has seen that it is new."""
    return book_report(book, VenueReport(order_id, EventKind.FILLED, time, fill))


def lacks_fills(record: OrderRecord, filled: Decimal | None) -> bool:
    """Whether a venue that tells how much of an order has filled knows of fills that are not booked yet."""
    if filled is None or record.instrument is None:
        return False
    return filled > record.instrument.quantity_decimal(record.filled)


def answers(record: OrderRecord, act: VenueAct, answer: VenueAnswer, time: EventTime) -> list[VenueReport]:
    """What a venue's answer to an act comes to. Nothing where the outcome is known by now, or is not told.

    A cancel that waited for the answer to a submit is pending on: it goes to the venue next.
    """
    if answer.outcome is Outcome.UNKNOWN or record.closed or not _waits(record, act):
        return []
    if act is VenueAct.CANCEL and lacks_fills(record, answer.filled):
        return []  # its fills come first; then it is asked about
    taken = answer.outcome is Outcome.ACCEPTED
    terms = record.wanted if act is VenueAct.REPLACE and taken else None
    made = [VenueReport(record.id, _HEARD[act, taken], time, reason=answer.reason, terms=terms)]
    if act is VenueAct.SUBMIT and taken and record.state is OrderState.PENDING_CANCEL:
        made.append(VenueReport(record.id, EventKind.PENDING_CANCEL, time))
    return made


def _waits(record: OrderRecord, act: VenueAct) -> bool:
    """Whether the outcome of an act is still open."""
    if act is VenueAct.SUBMIT:
        return record.on_the_wire
    return record.wanted is not None if act is VenueAct.REPLACE else True


_HEARD = {
    (VenueAct.SUBMIT, True): EventKind.ACCEPTED,
    (VenueAct.SUBMIT, False): EventKind.REJECTED,
    (VenueAct.REPLACE, True): EventKind.UPDATED,
    (VenueAct.REPLACE, False): EventKind.MODIFY_REJECTED,
    (VenueAct.CANCEL, True): EventKind.CANCELED,
    (VenueAct.CANCEL, False): EventKind.CANCEL_REJECTED,
}


def lose(book: StrategyBook, order_id: str, time: EventTime, act: VenueAct = VenueAct.SUBMIT) -> list[OrderEvent]:
    """No answer to an act came: the outcome is unknown from now on, which is not a rejection."""
    record = book.record(order_id)
    if record.unresolved or record.closed or not _waits(record, act):
        return []
    kind, terms = EventKind.UPDATED, None
    if record.state is OrderState.PENDING_CANCEL or act is VenueAct.CANCEL:
        kind = EventKind.PENDING_CANCEL
    elif act is VenueAct.REPLACE:
        kind, terms = EventKind.PENDING_UPDATE, record.wanted
    after, event = happened(record, kind, time, detail=UNKNOWN, unresolved=True, terms=terms)
    book.keep(after)
    return [event]
