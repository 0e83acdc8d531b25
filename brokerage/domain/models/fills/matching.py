"""Simulated matching of one order against one bar: a pure function from (order, bar) to what it would do.

A bar counts only if it starts at or after the order's acceptance; never the bar in progress. Market orders fill at
the open, limits when the bar trades through them, stops when it touches them; zero-volume bars fill nothing.
Types whose rules are not here are denied before they rest, never approximated.
"""

from __future__ import annotations

from brokerage.domain.market.bars import Bar
from brokerage.domain.models.fills.limit import fill_limit
from brokerage.domain.models.fills.market import fill_at_open
from brokerage.domain.models.fills.outcome import NO_VOLUME, NOT_YET, Match, NoFill
from brokerage.domain.models.fills.stops import fill_stop_limit, fill_stop_market
from brokerage.domain.models.slippage.model import SlippageModel
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderType, TimeInForce
from qmtl.core.errors import InvalidRequest, NotFound


def match(record: OrderRecord, bar: Bar, slippage: SlippageModel, budget: int) -> Match:
    """What `bar` does to a working order. `budget` is the volume still to be had in it; negative: no cap."""
    if bar.start_ns < record.accepted_ns:
        return NOT_YET
    if bar.volume <= 0:
        return NO_VOLUME
    quantity = record.remaining if budget < 0 else max(min(record.remaining, budget), 0)
    found = _price(record, bar, slippage, quantity)
    if found.why is not None:
        return found
    if record.order.tif is TimeInForce.FOK and quantity < record.remaining:
        return Match(0, triggered=found.triggered, why=NoFill.FOK_SHORT)
    if not quantity:
        return Match(0, triggered=found.triggered, why=NoFill.NO_VOLUME)
    return Match(quantity, found.price, found.liquidity, found.triggered, at_open=found.at_open)


def _price(record: OrderRecord, bar: Bar, slippage: SlippageModel, quantity: int) -> Match:
    if record.instrument is None:
        raise NotFound("E_INSTRUMENT_UNKNOWN", f"order {record.id} has no instrument to match")
    kind = record.order.type
    slip = Slip(slippage, record.instrument, record.order.side, quantity, bar.volume)
    if kind is OrderType.MARKET or (kind is OrderType.STOP_MARKET and record.triggered):
        return fill_at_open(bar, slip)
    if kind is OrderType.LIMIT:
        return fill_limit(record, bar)
    if kind is OrderType.STOP_MARKET:
        return fill_stop_market(record, bar, slip)
    if kind is OrderType.STOP_LIMIT:
        return fill_stop_limit(record, bar)
    raise InvalidRequest("E_ORDER_TYPE_UNSUPPORTED", f"no matching rule for {kind.value}")
