"""Limit orders on bars: strictly through the limit, at the open when that is better."""

from __future__ import annotations

from brokerage.domain.market.bars import Bar
from brokerage.domain.models.fills.outcome import NOT_REACHED, Match, require_price
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.record import OrderRecord


def fill_limit(record: OrderRecord, bar: Bar) -> Match:
    """At the open when that is better than the limit, else at the limit, where it rested and made."""
    limit, at_open = require_price(record.limit), _liquidity_at_open(record, bar)
    if record.order.side is Side.BUY:
        if bar.low >= limit:
            return NOT_REACHED
        return Match(1, bar.open, at_open, at_open=True) if bar.open < limit else Match(1, limit, Liquidity.MAKER)
    if bar.high <= limit:
        return NOT_REACHED
    return Match(1, bar.open, at_open, at_open=True) if bar.open > limit else Match(1, limit, Liquidity.MAKER)


def _liquidity_at_open(record: OrderRecord, bar: Bar) -> Liquidity:
    """A limit that fills at the open takes if this is the first bar it could meet, else it makes."""
    first = bar.start_ns - record.accepted_ns < bar.end_ns - bar.start_ns
    return Liquidity.TAKER if first and not record.order.post_only else Liquidity.MAKER
