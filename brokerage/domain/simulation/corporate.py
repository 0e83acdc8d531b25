"""What corporate actions do to the position, the cash and the open orders of one owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.models.corporate import (
    Conversion,
    CorporateAction,
    Delisting,
    Dividend,
    Ending,
    Expiry,
    ShareExchange,
    Split,
    convert,
    dividend,
    split,
    split_price,
    split_quantity,
)
from brokerage.domain.models.day_orders import opened_ns
from brokerage.domain.orders.events import EventTime, OrderEvent, WorkedTerms
from brokerage.domain.orders.order import TRAILING, Owner, Side, TrailOffsetType
from brokerage.domain.orders.record import OrderRecord, happened
from brokerage.domain.orders.states import EventKind, OrderType
from brokerage.domain.simulation.carry import Payment
from qmtl.core.errors import refused
from qmtl.core.instants import from_ns, timestamp_text

SPLIT = "SPLIT: the order's quantity and prices are those of the new shares"
ENDED_BY_ENDING = "NOT_TRADABLE: the symbol trades no more"
ENDED_BY_SPLIT = "SPLIT: the order names the old shares and cannot be carried over"


def acted_before(
    instrument: Instrument, bar: Bar, actions: Iterable[CorporateAction], after_ns: int | None = None
) -> list[Split | Dividend]:
    """Of the splits and dividends in a symbol, in order, those before the open of a bar, and after an instant.

    Raises InvalidRequest (E_FIELD) for one inside a bar of more than an hour of which it is not known when it opened.
    """
    opened, due = opened_ns(instrument, bar), list[Split | Dividend]()
    for action in actions:
        if isinstance(action, Ending):
            continue
        if action.at_ns >= bar.end_ns:
            break
        if action.at_ns <= opened:
            due += [action] if after_ns is None or action.at_ns > after_ns else []
        elif opened == bar.start_ns and bar.coarse:
            raise refused(
                "E_FIELD",
                f"actions of {action.symbol}",
                timestamp_text(from_ns(action.at_ns)),
                "the start of a bar, or an instrument with the calendar of its exchange: whether a bar of more than an "
                "hour opened before it is not known",
            )
    return due


def opened_before(instrument: Instrument, mark: Mark | None) -> int | None:
    """When the bar opened that left a mark: actions up to then have been applied. None: there was no bar."""
    if mark is None:
        return None
    price = mark.price
    return opened_ns(instrument, Bar(mark.at_ns - mark.bar_ns, mark.at_ns, price, price, price, price, 0))


def apply_action(
    book: StrategyBook, owner: Owner, instrument: Instrument, action: Split | Dividend, price: int, time: EventTime
) -> tuple[list[OrderEvent], list[Payment]]:
    """What an action does to the orders of one owner, done, and what it pays, to be booked by `book_payment`.

    `price` is the first after it, at the price scale.
    """
    if isinstance(action, Split):
        return apply_split(book, owner, instrument, action, price, time)
    return [], apply_dividend(book, owner, instrument, action)


def apply_split(
    book: StrategyBook, owner: Owner, instrument: Instrument, action: Split, price: int, time: EventTime
) -> tuple[list[OrderEvent], list[Payment]]:
    """Split what is ordered, and tell what that does to what is held.

    `price` is the first after the split, at which a part of a lot is paid out.

    Orders keep their value over a split into more shares; a reverse split ends them, and those that trail by a price or
    by ticks, which no event of an order changes, or that are being changed into terms of the old shares.
    """
    symbol, terms, paid = instrument.symbol, (action.ratio, price), list[Payment]()
    if book.held(symbol):
        cash = split(book.ledger.position(symbol), instrument, *terms).cash
        paid.append(Payment(owner, symbol, CashKind.SPLIT, instrument.quote, cash, action.at_ns, split=terms))
    return list(_split_orders(book, instrument, action, time)), paid


def apply_dividend(book: StrategyBook, owner: Owner, instrument: Instrument, action: Dividend) -> list[Payment]:
    """The dividend on what is held at its instant. Open orders keep their prices."""
    units = instrument.price_units(action.amount, "dividend")
    amount = dividend(instrument, book.held(instrument.symbol), units)
    return (
        [Payment(owner, instrument.symbol, CashKind.DIVIDEND, instrument.quote, amount, action.at_ns)] if amount else []
    )


def end_orders(book: StrategyBook, action: Ending, time: EventTime) -> list[OrderEvent]:
    """End the orders of one owner in a symbol that trades no more."""
    found = list[OrderEvent]()
    for record in book.open_orders(action.symbol):
        after, event = happened(record, EventKind.CANCELED, time, detail=ENDED_BY_ENDING)
        book.keep(after)
        found.append(event)
    return found


def waits_for(action: Ending) -> str:
    """The symbol by whose first price what is held is converted; empty: no price is needed, or nothing is converted."""
    return action.into if isinstance(action, ShareExchange) and action.ratio else ""


def conversion_of(action: Ending, instrument: Instrument, into: Instrument | None, price: int = 0) -> Conversion | None:
    """What one share or contract becomes when its symbol ends; `price` is the first of `into` after it, or the last of
    a contract that expires. None: it is kept.

    Raises InvalidRequest (E_FIELD) for contracts that are exchanged, for what expires and is no contract, and for
    shares that are quoted in different currencies.
    """
    of = f"actions of {action.symbol}"
    if isinstance(action, Expiry):
        if not instrument.pays_profit_only:
            raise refused("E_FIELD", of, f"an expiry of {instrument.asset_class.value}", "of a future")
        return Conversion(None, Fraction(0), price) if price else None
    contract = instrument.pays_profit_only or (into is not None and into.pays_profit_only)
    if isinstance(action, ShareExchange) and contract:
        raise refused("E_FIELD", of, "a contract", "shares: contracts are rolled, not exchanged")
    if into is not None and into.quote != instrument.quote:
        raise refused("E_FIELD", of, f"{instrument.quote} into {into.quote}", "one quote currency")
    if isinstance(action, Delisting):
        return None if action.price is None else Conversion(None, Fraction(0), instrument.price_units(action.price))
    return Conversion(into, action.ratio, instrument.price_units(action.cash, "cash"), price)


def pay_out(book: StrategyBook, owner: Owner, action: Ending, terms: Conversion) -> list[Payment]:
    """What an owner is given for what it holds of a symbol that has ended, to be booked by `book_payment`."""
    if not book.held(action.symbol):
        return []
    instrument = book.ledger.instruments[action.symbol]
    kind = CashKind.EXCHANGE if isinstance(action, ShareExchange) else CashKind.DELISTING
    cash = convert(book.ledger.position(action.symbol), instrument, terms).cash
    return [Payment(owner, action.symbol, kind, instrument.quote, cash, action.at_ns, conversion=terms)]


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
    if action.ratio < 1 or trails_by_price or record.wanted is not None or not left:
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
