"""Replaces: what an open order would be worked with under other terms, or which rule they break."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal

from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.events import WorkedTerms
from brokerage.domain.orders.order import TRAILING, Order, OrderName, SizedOrder, require_well_formed
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.totals import totals_of, totals_of_rivals
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.context import context_of
from brokerage.domain.risk.rules import check, check_standing
from brokerage.domain.risk.sizing import size


@dataclass(frozen=True, slots=True)
class Change:
    """What of an order is to change, as its client says it; None: it stays. `quantity` is the whole, filled part
    included, before the gate's weight.
    """

    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    expire_at_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Replace:
    """A client's wish to change an order; `request_id` is its idempotency key."""

    name: OrderName
    request_id: str
    change: Change


def asked_anew(record: OrderRecord, change: Change) -> Order:
    """The order as its client would have asked for it. Raises InvalidRequest (E_ORDER_MALFORMED)."""
    order, instrument = record.order, record.instrument
    limit, stop = (
        None if price is None or instrument is None else instrument.price_decimal(price)
        for price in (record.limit, record.stop)
    )
    expiry = record.expire_ns if order.expire_at_ns is not None else None
    if order.type in TRAILING:
        limit = stop = None  # they follow the price, and stay where they are
    asked = replace(
        order,
        quantity=order.quantity if change.quantity is None else change.quantity,
        limit_price=limit if change.limit_price is None else change.limit_price,
        stop_price=stop if change.stop_price is None else change.stop_price,
        expire_at_ns=expiry if change.expire_at_ns is None else change.expire_at_ns,
    )
    require_well_formed(asked)
    return asked


def judge(view: AccountView, record: OrderRecord, change: Change, at_ns: int, weight: int) -> WorkedTerms | Refusal:
    """The terms that an open order would be worked with, checked as an order of what would be left of it.

    The order itself is set aside meanwhile, so that only what the change adds is asked for anew. A new quantity is
    scaled by the weight as at first, on the position without the order's own fills. A quantity of no more than was
    filled ends the order and is not checked.
    """
    instrument = record.instrument
    if instrument is None:
        return Refusal(Denial.INSTRUMENT_UNKNOWN, f"no properties of {record.order.symbol} are known")
    asked, book = asked_anew(record, change), view.book(record.order.owner)
    with set_aside(book, record):
        now = context_of(view, asked, instrument, at_ns, weight)
        before = replace(now.position, quantity=now.held - asked.side.sign * record.filled)
        sized = size(asked, replace(now, position=before))
        if isinstance(sized, Refusal):
            return sized
        whole = record.quantity if change.quantity is None else sized.quantity
        left = whole - record.filled
        if left > 0:
            rest = replace(sized, quantity=left)
            rules = check_standing if record.waiting else check  # the rest is asked when it goes
            refused = rules(_of(asked, instrument, rest), rest, now)
            if refused is not None:
                return refused
    if asked.type in TRAILING:
        sized = replace(sized, limit=record.limit, stop=record.stop, worst=record.worst)
    expiry = record.expire_ns if change.expire_at_ns is None else sized.expire_ns
    return WorkedTerms(whole, sized.limit, sized.stop, expiry, sized.worst)


def reduces(book: StrategyBook, record: OrderRecord, change: Change) -> bool:
    """Whether an order could only make the position smaller under other terms, were what is left of it to fill."""
    instrument = record.instrument
    if instrument is None:
        return False
    left = asked_anew(record, change).quantity - instrument.quantity_decimal(record.filled)
    return left <= instrument.quantity_decimal(book.reducible(record.order))


def _of(asked: Order, instrument: Instrument, sized: SizedOrder) -> Order:
    return replace(asked, quantity=instrument.quantity_decimal(sized.quantity))


@contextmanager
def set_aside(book: StrategyBook, record: OrderRecord) -> Iterator[None]:
    """The book as if an order were not open, nor its rivals on its side: of them and it only one fills."""
    key = (record.order.symbol, record.order.side)
    known, rivals = book.open_totals(*key), [book.records[name] for name in record.rivals if name in book.records]
    beside = totals_of_rivals(rival for rival in rivals if rival.order.side is record.order.side)
    book.totals[key] = known - beside.or_more(totals_of(record))
    try:
        yield
    finally:
        book.totals[key] = known
