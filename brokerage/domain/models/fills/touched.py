"""Limit-if-touched orders: a trade reaches the trigger, then a quote at the limit or better fills. No trade does."""

from __future__ import annotations

from brokerage.domain.market.bars import Bar, Quote
from brokerage.domain.models.fills.outcome import NOT_REACHED, TRIGGERED_ONLY, Match, require_price
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.record import OrderRecord


def fill_if_touched(record: OrderRecord, bar: Bar, quote: Quote | None) -> Match:
    """Trigger: buy low <= trigger, sell high >= trigger; it stays. Then buy at the ask if that is at most the limit,
    sell at the bid if that is at least the limit. Without a quote nothing fills. Source: Lean, equity fill model.
    """
    buys = record.order.side is Side.BUY
    trigger, limit = require_price(record.stop), require_price(record.limit)
    fresh = not record.triggered
    if fresh and not (bar.low <= trigger if buys else bar.high >= trigger):
        return NOT_REACHED
    if quote is None or (quote.ask > limit if buys else quote.bid < limit):
        return TRIGGERED_ONLY if fresh else NOT_REACHED
    return Match(1, quote.ask if buys else quote.bid, triggered=fresh)
