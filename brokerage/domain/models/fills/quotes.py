"""The best bid and ask beside a bar."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.orders.order import Side


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
