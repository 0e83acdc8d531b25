"""Stop orders on bars: when a stop is reached, and what it fills at."""

from __future__ import annotations

from brokerage.domain.market.bars import Bar
from brokerage.domain.models.fills.outcome import NOT_REACHED, TRIGGERED_ONLY, Match, require_price
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.record import OrderRecord


def reached(side: Side, stop: int, price: int) -> bool:
    """Whether a price is at or beyond a stop."""
    return price >= stop if side is Side.BUY else price <= stop


def touched(side: Side, stop: int, bar: Bar) -> bool:
    """Whether a bar was at or beyond a stop at any moment."""
    return reached(side, stop, bar.high if side is Side.BUY else bar.low)


def fill_stop_market(record: OrderRecord, bar: Bar, slip: Slip) -> Match:
    """At the stop when the bar touches it, at the open when the bar opens beyond it, moved by slippage."""
    side, stop = record.order.side, require_price(record.stop)
    if not touched(side, stop, bar):
        return NOT_REACHED
    gap = reached(side, stop, bar.open)
    return Match(1, slip.moved(bar.open if gap else stop), at_open=gap)


def fill_stop_limit(record: OrderRecord, bar: Bar) -> Match:
    """Strict, sticky trigger; then a close better than the limit fills at min(high, limit), sells mirrored."""
    buys = record.order.side is Side.BUY
    stop, limit = require_price(record.stop), require_price(record.limit)
    fresh = not record.triggered
    if fresh and not (bar.high > stop if buys else bar.low < stop):
        return NOT_REACHED
    return fill_triggered_limit(record.order.side, limit, bar, fresh=fresh)


def fill_triggered_limit(side: Side, limit: int, bar: Bar, *, fresh: bool) -> Match:
    """A limit whose stop was reached, in this bar (`fresh`) or before: a close better than it fills at
    min(high, limit), sells at max(low, limit). Source: Lean, equity fill model.
    """
    buys = side is Side.BUY
    if not (bar.close < limit if buys else bar.close > limit):
        return TRIGGERED_ONLY if fresh else NOT_REACHED
    return Match(1, min(bar.high, limit) if buys else max(bar.low, limit), triggered=fresh)
