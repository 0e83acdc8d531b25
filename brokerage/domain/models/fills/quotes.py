"""Fills on quotes: at the other side of the book, while the quote is fresh."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.models.fills.outcome import NOT_REACHED, STALE, Match
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side

STALE_AFTER_NS = 3_600_000_000_000
"""Lean's StalePriceTimeSpan: a quote older than an hour before the order prices nothing."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask with their sizes, at the instrument's scales, and when they were true."""

    at_ns: int
    bid: int
    ask: int
    bid_size: int = 0
    ask_size: int = 0

    def takes(self, side: Side) -> int:
        """The price at which an order of a side trades at once."""
        return self.ask if side is Side.BUY else self.bid

    def size(self, side: Side) -> int:
        """What an order of a side finds there."""
        return self.ask_size if side is Side.BUY else self.bid_size


def fill_at_quote(quote: Quote, order_ns: int, slip: Slip, limit: int | None = None) -> Match:
    """A market order at the ask (buy) or bid (sell), moved by slippage; with a limit only at it or better, unmoved.

    A quote older than an hour before the order fills nothing. Source: Lean, equity fill model.
    """
    if quote.at_ns < order_ns - STALE_AFTER_NS:
        return STALE
    price = quote.takes(slip.side)
    if limit is None:
        return Match(1, slip.moved(price))
    if (price - limit) * slip.side.sign > 0:
        return NOT_REACHED
    return Match(1, price, Liquidity.TAKER)
