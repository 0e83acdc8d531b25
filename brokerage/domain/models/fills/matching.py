"""Simulated matching of one order against one bar: a pure function from (order, bar) to what it would do.

A bar counts only if it starts at or after the order's acceptance; never the bar in progress, but for an order on the
close. Market orders fill at the open, limits when the bar trades through them, stops when it touches them; zero-volume
bars fill nothing.
"""

from __future__ import annotations

from dataclasses import replace

from brokerage.domain.market.bars import Bar, Quote
from brokerage.domain.models.fills.auctions import auction_held, fill_on_close, fill_on_open
from brokerage.domain.models.fills.limit import fill_limit
from brokerage.domain.models.fills.market import fill_at_open
from brokerage.domain.models.fills.outcome import NO_VOLUME, NOT_YET, Match, NoFill
from brokerage.domain.models.fills.stops import fill_stop_limit, fill_stop_market
from brokerage.domain.models.fills.touched import fill_if_touched
from brokerage.domain.models.fills.trailing import fill_trailing_stop, fill_trailing_stop_limit
from brokerage.domain.models.slippage.model import SlippageModel
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import MARKET_ONCE_TRIGGERED, OrderType, TimeInForce
from qmtl.calendars.spans import Span
from qmtl.core.errors import NotFound


def match(
    record: OrderRecord,
    bar: Bar,
    slippage: SlippageModel,
    budget: int,
    quote: Quote | None = None,
    session: Span | None = None,
) -> Match:
    """What `bar` does to a working order. `budget` is the volume still to be had in it; negative: no cap.

    `quote` is the one at the bar's close. `session` is that of an order on its open or close, None for any other.
    """
    if bar.start_ns < record.accepted_ns and record.order.tif is not TimeInForce.AT_CLOSE:
        return NOT_YET
    if session is not None and not auction_held(record.order.tif, bar, record.accepted_ns, session):
        return NOT_YET
    if bar.volume <= 0:
        return NO_VOLUME
    quantity = record.remaining if budget < 0 else max(min(record.remaining, budget), 0)
    found = _price(record, bar, _slip(record, bar, slippage, quantity, quote), quote, session)
    if found.why is not None:
        return found
    whole = quantity >= record.remaining
    turns = not whole and not record.triggered and record.order.type in MARKET_ONCE_TRIGGERED
    triggered = found.triggered or turns
    if record.order.tif is TimeInForce.FOK and not whole:
        return replace(found, quantity=0, triggered=triggered, why=NoFill.FOK_SHORT)
    if not quantity:
        return replace(found, quantity=0, triggered=triggered, why=NoFill.NO_VOLUME)
    return Match(quantity, found.price, found.liquidity, triggered, None, found.at_open, found.stop, found.limit)


def _slip(record: OrderRecord, bar: Bar, slippage: SlippageModel, quantity: int, quote: Quote | None) -> Slip:
    if record.instrument is None:
        raise NotFound("E_INSTRUMENT_UNKNOWN", f"order {record.id} has no instrument to match")
    bid, ask = (quote.bid, quote.ask) if quote is not None else (0, 0)
    return Slip(slippage, record.instrument, record.order.side, quantity, bar.volume, bid, ask)


def _price(record: OrderRecord, bar: Bar, slip: Slip, quote: Quote | None, session: Span | None) -> Match:
    kind = record.order.type
    if session is not None:
        auction = fill_on_open if record.order.tif is TimeInForce.AT_OPEN else fill_on_close
        return auction(bar, record.accepted_ns, session, slip, record.limit)
    if kind is OrderType.MARKET or (record.triggered and kind in MARKET_ONCE_TRIGGERED):
        return fill_at_open(bar, slip)
    if kind is OrderType.LIMIT:
        return fill_limit(record, bar)
    return _conditional(record, bar, slip, quote)


def _conditional(record: OrderRecord, bar: Bar, slip: Slip, quote: Quote | None) -> Match:
    """An order that waits for a price."""
    match record.order.type:
        case OrderType.STOP_MARKET:
            return fill_stop_market(record, bar, slip)
        case OrderType.STOP_LIMIT:
            return fill_stop_limit(record, bar)
        case OrderType.LIMIT_IF_TOUCHED:
            return fill_if_touched(record, bar, quote)
        case OrderType.TRAILING_STOP:
            return fill_trailing_stop(record, bar, slip)
    return fill_trailing_stop_limit(record, bar, slip)
