"""Commands on orders: checked against the account, answered with order events. The one code of backtest and service.

A batch backtest keeps one account in memory; the service loads it from rows and stores what is answered. Nothing here
reads a clock: times are arguments.
"""

from __future__ import annotations

from dataclasses import replace

from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.events import EventTime, OrderEvent, WorkedTerms
from brokerage.domain.orders.order import Order, SizedOrder, order_id, require_well_formed
from brokerage.domain.orders.record import OrderRecord, born, happened
from brokerage.domain.orders.states import EventKind, OrderState
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.context import context_of
from brokerage.domain.risk.rules import check
from brokerage.domain.risk.sizing import size
from qmtl.core.errors import Conflict

_LAST = {
    EventKind.ACCEPTED: (EventKind.SUBMITTED, EventKind.ACCEPTED),
    EventKind.RELEASED: (EventKind.RELEASED,),
    EventKind.EMULATED: (EventKind.EMULATED,),
}
"""The events after INITIALIZED, by the one they end in."""

_UNSENT = frozenset({OrderState.INITIALIZED, OrderState.EMULATED, OrderState.RELEASED})
UNSIZED = SizedOrder(0, None, None, None, 0)


def submit(
    view: AccountView,
    order: Order,
    time: EventTime,
    *,
    weight: int = RATE_ONE,
    refusal: Refusal | None = None,
    until: EventKind = EventKind.ACCEPTED,
) -> list[OrderEvent]:
    """Check an order and let it rest in its owner's book. The events end in `until`, or in DENIED with the rule's name.

    `until` is ACCEPTED where the venue answers at once, RELEASED where there is a wire before it, EMULATED for a
    stop that is watched here. `refusal` was decided before (the fence). Raises Conflict for a client order id in use
    and InvalidRequest for a malformed order; those leave no trace.
    """
    require_well_formed(order)
    instrument, sized = view.instruments.find(order.symbol), UNSIZED
    if refusal is None and order_id(order.owner, order.client_order_id) not in view.book(order.owner).records:
        sized, refusal = examine(view, order, instrument, time.at_ns, weight)
    return take(view, order, time, sized, refusal, until)


def take(
    view: AccountView,
    order: Order,
    time: EventTime,
    sized: SizedOrder,
    refusal: Refusal | None,
    until: EventKind | None,
) -> list[OrderEvent]:
    """Let an order that was judged begin: it ends in `until`, in DENIED, or (None) waits. Raises Conflict for a client
    order id in use.
    """
    book, identity = view.book(order.owner), order_id(order.owner, order.client_order_id)
    if identity in book.records:
        raise Conflict("E_CLIENT_ORDER_ID_USED", f"client_order_id {order.client_order_id} was used")
    first = OrderEvent(
        identity,
        1,
        EventKind.INITIALIZED,
        time.at_ns,
        time.received_ns,
        quantity=sized.quantity,
        limit=sized.limit,
        stop=sized.stop,
        expire_ns=sized.expire_ns,
        worst=sized.worst,
    )
    record, events = born(order, view.instruments.find(order.symbol), first), [first]
    if refusal is not None:
        record, denied = happened(record, EventKind.DENIED, time, denial=refusal.denial, detail=refusal.message)
        events.append(denied)
    else:
        for kind in _LAST[until] if until is not None else ():
            record, event = happened(record, kind, time)
            events.append(event)
    book.keep(record)
    return events


def cancel(
    book: StrategyBook, identity: str, time: EventTime, *, direct: bool = True, detail: str = ""
) -> OrderEvent | None:
    """Cancel an open order. None if it is closed, or its cancel pending, already. Raises NotFound (ORDER_UNKNOWN).

    What was never sent ends here, and so does what works at a venue that answers at once (`direct`). What was sent to
    any other is PENDING_CANCEL until that has been heard.
    """
    record = book.record(identity)
    if record.closed:
        return None
    if record.state in _UNSENT or (direct and not record.on_the_wire):
        return _happen(book, record, EventKind.CANCELED, time, detail=detail)
    if record.state is OrderState.PENDING_CANCEL:
        return None
    return _happen(book, record, EventKind.PENDING_CANCEL, time, detail=detail, unresolved=record.unresolved)


def release(book: StrategyBook, identity: str, time: EventTime, *, direct: bool) -> list[OrderEvent]:
    """Let an emulated order go to the venue as a market order; the caller has asked the fence."""
    kinds = (EventKind.RELEASED, *(_LAST[EventKind.ACCEPTED] if direct else ()))
    return [_happen(book, book.record(identity), kind, time) for kind in kinds]


def go(book: StrategyBook, identity: str, terms: WorkedTerms, time: EventTime, until: EventKind) -> list[OrderEvent]:
    """Let an order that waited for another go, with the terms of the moment; the caller has asked fence and rules."""
    made = [_happen(book, book.record(identity), EventKind.UPDATED, time, terms=terms, detail="")]
    return made + [_happen(book, book.record(identity), kind, time) for kind in _LAST[until]]


def narrow(book: StrategyBook, identity: str) -> None:
    """From now on an order only reduces: what others have taken off the position by then, it does not."""
    record = book.record(identity)
    book.keep(replace(record, order=replace(record.order, reduce_only=True)))


def note(book: StrategyBook, identity: str, time: EventTime, detail: str) -> list[OrderEvent]:
    """Say once what keeps an order where it is."""
    record = book.record(identity)
    return [] if record.detail == detail else [_happen(book, record, EventKind.UPDATED, time, detail=detail)]


def send(book: StrategyBook, identity: str, time: EventTime) -> OrderEvent:
    """The order goes on the wire."""
    return _happen(book, book.record(identity), EventKind.SUBMITTED, time)


def deny(book: StrategyBook, identity: str, time: EventTime, refusal: Refusal) -> OrderEvent:
    """Refuse an order that was released and not sent."""
    record = book.record(identity)
    return _happen(book, record, EventKind.DENIED, time, detail=refusal.message, denial=refusal.denial)


def replace_terms(
    book: StrategyBook, identity: str, terms: WorkedTerms, time: EventTime, *, direct: bool, detail: str = ""
) -> list[OrderEvent]:
    """Have an order worked under other terms: at once where it was not sent or the venue answers at once, else pending
    until the venue has been heard. `detail` says why what was not sent is changed.
    """
    record = book.record(identity)
    if record.state in _UNSENT:
        return [_happen(book, record, EventKind.UPDATED, time, terms=terms, detail=detail)]
    asked = ask_replace(book, identity, terms, time)
    if not direct:
        return [asked]
    return [asked, _happen(book, book.record(identity), EventKind.UPDATED, time, terms=terms)]


def ask_replace(book: StrategyBook, identity: str, terms: WorkedTerms, time: EventTime) -> OrderEvent:
    """Ask for an order to be worked under other terms. Until the venue has been heard both count."""
    return _happen(book, book.record(identity), EventKind.PENDING_UPDATE, time, terms=terms)


def refuse_replace(book: StrategyBook, identity: str, time: EventTime, refusal: Refusal) -> OrderEvent:
    """Refuse a replace that was asked for: the order works on as it was."""
    record = book.record(identity)
    return _happen(book, record, EventKind.MODIFY_REJECTED, time, detail=refusal.message, denial=refusal.denial)


def examine(
    view: AccountView, order: Order, instrument: Instrument | None, at_ns: int, weight: int
) -> tuple[SizedOrder, Refusal | None]:
    if instrument is None:
        message = f"no properties of {order.symbol} are known; add it to the instruments that the venue is set up with"
        return UNSIZED, Refusal(Denial.INSTRUMENT_UNKNOWN, message)
    now = context_of(view, order, instrument, at_ns, weight)
    sized = size(order, now)
    if isinstance(sized, Refusal):
        return UNSIZED, sized
    return sized, check(order, sized, now)


def _happen(
    book: StrategyBook,
    record: OrderRecord,
    kind: EventKind,
    time: EventTime,
    *,
    detail: str = "",
    denial: Denial | None = None,
    unresolved: bool = False,
    terms: WorkedTerms | None = None,
) -> OrderEvent:
    after, event = happened(record, kind, time, denial=denial, detail=detail, unresolved=unresolved, terms=terms)
    book.keep(after)
    return event
