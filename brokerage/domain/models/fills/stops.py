"""Stop orders on bars: when a stop is reached, and what it fills at."""

from __future__ import annotations

from brokerage.domain.market.bars import Bar
from brokerage.domain.models.fills.outcome import NOT_REACHED, TRIGGERED_ONLY, Match, price_set
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.record import OrderRecord


def reached(side: Side, stop: int, price: int) -> bool:
    """Whether a price is at or beyond a stop."""
    return price >= stop if side is Side.BUY else price <= stop


def touched(side: Side, stop: int, bar: Bar) -> bool:
    """Whether a bar was at or beyond a stop at any moment."""
    return reached(side, stop, bar.high if side is Side.BUY else bar.low)


def stop_limit(record: OrderRecord, side: Side, bar: Bar) -> Match:
    """Strict, sticky trigger; then a close better than the limit fills at min(high, limit), sells mirrored."""
    stop, limit = price_set(record.stop), price_set(record.limit)
    fresh = not record.triggered
    if fresh and not (bar.high > stop if side is Side.BUY else bar.low < stop):
        return NOT_REACHED
    if not (bar.close < limit if side is Side.BUY else bar.close > limit):
        return TRIGGERED_ONLY if fresh else NOT_REACHED
    price = min(bar.high, limit) if side is Side.BUY else max(bar.low, limit)
    return Match(1, price, triggered=fresh)
