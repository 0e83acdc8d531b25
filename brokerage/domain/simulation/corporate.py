"""What corporate actions do to the position, the cash and the open orders of one owner."""

from __future__ import annotations

from collections.abc import Iterator

from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.corporate import Dividend, Split, dividend, split, split_price, split_quantity
from brokerage.domain.orders.events import EventTime, OrderEvent, WorkedTerms
from brokerage.domain.orders.order import TRAILING, Owner, Side, TrailOffsetType
from brokerage.domain.orders.record import OrderRecord, happened
from brokerage.domain.orders.states import EventKind, OrderType
from brokerage.domain.simulation.carry import Payment

SPLIT = "SPLIT: the order's quantity and prices are those of the new shares"
ENDED_BY_SPLIT = "SPLIT: the order names the old shares and cannot be carried over"


def apply_split(
    book: StrategyBook, owner: Owner, instrument: Instrument, action: Split, price: int, time: EventTime
) -> tuple[list[OrderEvent], list[Payment]]:
    """Split what is held and ordered. `price` is the first after the split, at which a part of a lot is paid out.

    Orders keep their value over a split into more shares; a reverse split ends them, and those that trail by a price or
    by ticks, which no event of an order changes.
    """
    ledger, symbol = book.ledger, instrument.symbol
    found = split(ledger.position(symbol), instrument, action.ratio, price)
    ledger.deposit(instrument.quote, found.cash)
    ledger.restore(instrument, found.position)
    paid = [Payment(owner, symbol, CashKind.SPLIT, instrument.quote, found.cash, action.at_ns)] if found.cash else []
    return list(_split_orders(book, instrument, action, time)), paid


def apply_dividend(book: StrategyBook, owner: Owner, instrument: Instrument, action: Dividend) -> list[Payment]:
    """Pay a dividend on what is held at its instant. Open orders keep their prices."""
    units = instrument.price_units(action.amount, "dividend")
    amount = dividend(instrument, book.held(instrument.symbol), units)
    book.ledger.deposit(instrument.quote, amount)
    return (
        [Payment(owner, instrument.symbol, CashKind.DIVIDEND, instrument.quote, amount, action.at_ns)] if amount else []
    )


def _split_orders(book: StrategyBook, instrument: Instrument, action: Split, time: EventTime) -> Iterator[OrderEvent]:
    for record in book.open_orders(instrument.symbol):
        terms = _split_terms(record, instrument, action)
        if terms is None:
            after, event = happened(record, EventKind.CANCELED, time, detail=ENDED_BY_SPLIT)
        else:
            after, event = happened(record, EventKind.UPDATED, time, detail=SPLIT, terms=terms)
        book.keep(after)
        yield event


def _split_terms(record: OrderRecord, instrument: Instrument, action: Split) -> WorkedTerms | None:
    """An order's terms after a split, less aggressive where they do not fit; None: it ends."""
    trails_by_price = record.order.type in TRAILING and record.order.trail_offset_type is not TrailOffsetType.FRACTION
    left, side = split_quantity(record.remaining, instrument, action.ratio), record.order.side
    if action.ratio < 1 or trails_by_price or not left:
        return None
    limit, stop, away = record.limit, record.stop, Side.SELL if side is Side.BUY else Side.BUY
    waits = (
        side if record.order.type is OrderType.LIMIT_IF_TOUCHED else away
    )  # below the price for a purchase, as limits
    return WorkedTerms(
        record.filled + left,
        None if limit is None else split_price(limit, instrument, action.ratio, side),
        None if stop is None else split_price(stop, instrument, action.ratio, waits),
        record.expire_ns,
        split_price(record.worst, instrument, action.ratio, Side.SELL) if record.worst else 0,
    )
