"""Limit orders on bars: strictly through the limit, at the open when that is better."""

from __future__ import annotations

from brokerage.domain.market.bars import Bar
from brokerage.domain.models.fills.outcome import NOT_REACHED, Match
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.record import OrderRecord


def arrival(record: OrderRecord, bar: Bar) -> Liquidity:
    """What a limit that fills at the open was: taking if this is the first bar it could meet, else making."""
    first = bar.start_ns - record.accepted_ns < bar.end_ns - bar.start_ns
    return Liquidity.TAKER if first and not record.order.post_only else Liquidity.MAKER


def limit(side: Side, limit: int, bar: Bar, at_open: Liquidity) -> Match:
    """Strictly through the limit: at the open when that is better, else at the limit, where it rested and made."""
    if side is Side.BUY:
        if bar.low >= limit:
            return NOT_REACHED
        return Match(1, bar.open, at_open) if bar.open < limit else Match(1, limit, Liquidity.MAKER)
    if bar.high <= limit:
        return NOT_REACHED
    return Match(1, bar.open, at_open) if bar.open > limit else Match(1, limit, Liquidity.MAKER)
