"""Lists of orders: taken whole or denied whole, and worked as their contingencies say. Above every venue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import FINAL, Denial, Refusal
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.orders.lists import LIST_MAX, require_list
from brokerage.domain.orders.order import Order, SizedOrder, require_well_formed
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.reports import VenueReport
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.totals import totals_of_new
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.context import context_of
from brokerage.domain.risk.rules import check, check_standing
from brokerage.domain.risk.sizing import size
from brokerage.domain.trading import commands
from brokerage.domain.trading.contingencies import Due, End, Release, Resize, due
from brokerage.domain.trading.replacement import Change, asked_anew, judge, set_aside
from brokerage.domain.trading.reports import book_report

HELD = "HELD: it waits until the fence and the account let it go"
Examined = tuple[SizedOrder, Refusal | None]


@dataclass(frozen=True, slots=True)
class Going:
    """How orders of a list go: the event they come to rest with, whether one may go now, whether the venue answers at
    once, whether the cancel of one (by its id) may be asked for now.
    """

    first_rest: Callable[[Order], EventKind]
    may_go: Callable[[StrategyBook, OrderRecord], bool]
    direct: bool
    may_cancel: Callable[[str], bool] = lambda order_id: True


AT_ONCE = Going(lambda order: EventKind.ACCEPTED, lambda book, record: True, direct=True)
"""A venue that answers at once, and nothing that holds."""


def submit_list(
    view: AccountView,
    orders: Sequence[Order],
    time: EventTime,
    first_rest: Callable[[Order], EventKind],
    *,
    weight: int = RATE_ONE,
    refusal: Refusal | None = None,
) -> list[OrderEvent]:
    """Take a list whole: orders without a parent go, the others wait. One that is denied denies them all.

    What waits is judged now by what can be said of it alone, and whole once it goes. Raises InvalidRequest
    (E_ORDER_LIST_MALFORMED, E_ORDER_MALFORMED) and Conflict (E_CLIENT_ORDER_ID_USED); those leave no trace.
    """
    require_list(orders)
    for order in orders:
        require_well_formed(order)
    examined = [(commands.UNSIZED, refusal)] * len(orders) if refusal else _examine(view, orders, time.at_ns, weight)
    denied = any(refused is not None for _, refused in examined)
    made: list[OrderEvent] = []
    for order, (sized, refused) in zip(orders, examined, strict=True):
        if denied and refused is None:
            refused = Refusal(Denial.LIST_DENIED, f"another order of list {order.list_id} was denied")
        rest = None if order.parent else first_rest(order)
        made += commands.take(view, order, time, sized, refused, rest)
    return made


def settle(view: AccountView, book: StrategyBook, time: EventTime, going: Going, list_id: str = "") -> list[OrderEvent]:
    """Do what one list of a book, or all of them, are due to do, until nothing is. Asking again does nothing."""
    made: list[OrderEvent] = []
    for _ in range(LIST_MAX):
        acts = due(book.open_in_lists(list_id), book.records, lambda record: book.reducible(record.order))
        done = [event for act in acts for event in _do(view, book, act, time, going)]
        if not done:
            break
        made += done
    return made


def book_with_lists(
    book: StrategyBook, reports: Iterable[VenueReport], then: Callable[[str], Sequence[OrderEvent]]
) -> list[OrderEvent]:
    """Book reports one by one. What one of a list makes its list do (`then`, by its id) is done before the next is
    made; what it makes other lists do the caller asks for once all are booked.
    """
    made: list[OrderEvent] = []
    for report in reports:
        event = book_report(book, report)
        made.append(event)
        if list_id := book.record(event.order_id).order.list_id:
            made += then(list_id)
    return made


def _do(view: AccountView, book: StrategyBook, act: Due, time: EventTime, going: Going) -> Sequence[OrderEvent]:
    record = book.record(act.order_id)
    if record.closed:  # what was done before it in the same round has ended it
        return []
    match act:
        case End():
            if not going.may_cancel(record.id):
                return []
            ended = commands.cancel(book, record.id, time, direct=going.direct, detail=act.reason)
            return [] if ended is None else [ended]
        case Resize():
            return _resize(view, book, record, act.quantity, time, going)
        case Release():
            return _release(view, book, record, act.quantity, time, going)


def _resize(
    view: AccountView, book: StrategyBook, record: OrderRecord, quantity: int, time: EventTime, going: Going
) -> Sequence[OrderEvent]:
    """Have an order worked with another quantity. One that grows is asked for what it adds, and stays if that may not
    go.
    """
    terms = replace(record.terms, quantity=quantity)
    if quantity > record.quantity and record.instrument is not None:
        if not going.may_go(book, replace(record, quantity=quantity)):
            return commands.note(book, record.id, time, HELD)
        change = Change(record.instrument.quantity_decimal(quantity))
        judged = judge(view, record, change, time.at_ns, RATE_ONE)
        if isinstance(judged, Refusal):
            return commands.note(book, record.id, time, f"HELD: {judged.denial.value}")
    return commands.replace_terms(book, record.id, terms, time, direct=going.direct)


def _release(
    view: AccountView, book: StrategyBook, record: OrderRecord, quantity: int, time: EventTime, going: Going
) -> Sequence[OrderEvent]:
    """Let a waiting order go if it may. What only reduces waits on through a denial that a later moment may lift."""
    instrument = record.instrument
    if instrument is None:
        return []
    going_record = replace(record, quantity=quantity)
    if not going.may_go(book, going_record):
        return commands.note(book, record.id, time, HELD)
    sized = _judged(view, book, record, quantity, instrument, time.at_ns)
    if isinstance(sized, Refusal):
        return _refused(book, record, sized, time)
    terms = replace(record.terms, quantity=quantity, stop=sized.stop, limit=sized.limit, worst=sized.worst)
    return commands.go(book, record.id, terms, time, going.first_rest(record.order))


def refused_anew(view: AccountView, book: StrategyBook, identity: str, time: EventTime) -> list[OrderEvent] | None:
    """Judge an order of a list that was let go and held before the wire, now that it may go; None: it still passes.

    What only reduces waits on through a denial that a later moment may lift.
    """
    record = book.record(identity)
    instrument = record.instrument
    if instrument is None:
        return None
    sized = _judged(view, book, record, record.remaining, instrument, time.at_ns)
    return _refused(book, record, sized, time) if isinstance(sized, Refusal) else None


def _judged(
    view: AccountView, book: StrategyBook, record: OrderRecord, quantity: int, instrument: Instrument, at_ns: int
) -> SizedOrder | Refusal:
    """An order of a quantity as it would be taken now, or why not; the order itself is set aside meanwhile."""
    order = asked_anew(record, Change(instrument.quantity_decimal(quantity)))
    with set_aside(book, record):
        now = context_of(view, order, instrument, at_ns, RATE_ONE)
        sized = size(order, now)
        return sized if isinstance(sized, Refusal) else check(order, sized, now) or sized


def _refused(book: StrategyBook, record: OrderRecord, refusal: Refusal, time: EventTime) -> list[OrderEvent]:
    if record.order.reduce_only and refusal.denial not in FINAL:
        return commands.note(book, record.id, time, f"HELD: {refusal.denial.value}")
    return [commands.deny(book, record.id, time, refusal)]


def _examine(view: AccountView, orders: Sequence[Order], at_ns: int, weight: int) -> list[Examined]:
    """Each order judged with those before it in the account, but for its rivals: only one of them fills."""
    book, found = view.book(orders[0].owner), list[Examined]()
    known = dict(book.totals)
    for order in orders:
        try:
            for other, (sized, refused) in zip(orders, found, strict=False):
                instrument = view.instruments.find(other.symbol)
                goes = refused is None and not other.parent and other.client_order_id not in order.linked
                if goes and instrument is not None:
                    key = (other.symbol, other.side)
                    book.totals[key] = book.open_totals(*key) + totals_of_new(other, sized, instrument)
            found.append(_examine_one(view, order, at_ns, weight))
        finally:
            book.totals.clear()
            book.totals.update(known)
    return found


def _examine_one(view: AccountView, order: Order, at_ns: int, weight: int) -> Examined:
    instrument = view.instruments.find(order.symbol)
    if instrument is None or not order.parent:
        return commands.examine(view, order, instrument, at_ns, weight)
    now = context_of(view, order, instrument, at_ns, RATE_ONE)
    sized = size(order, now)
    if isinstance(sized, Refusal):
        return commands.UNSIZED, sized
    return sized, check_standing(order, sized, now)
