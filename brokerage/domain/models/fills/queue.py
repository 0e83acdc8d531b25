"""The place of a resting limit order in the queue at its price: it fills after what was there before it."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.orders.order import Side


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """What stands before an order at its price, at the instrument's quantity scale.

    On arrival that is all the book shows there. Trades at the price take from the front. Cancels of others are not
    seen, so none is assumed: the order never fills earlier than it would have.
    """

    ahead: int

    def traded(self, quantity: int) -> tuple[QueuePosition, int]:
        """After a trade at the price: the place, and how much of the trade is left for the order."""
        return QueuePosition(max(self.ahead - quantity, 0)), max(quantity - self.ahead, 0)


def passed(side: Side, limit: int, price: int) -> bool:
    """Whether a trade went through a limit: then the queue at it is gone, whatever stood there."""
    return (limit - price) * side.sign > 0
