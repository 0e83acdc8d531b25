"""Fills against levels of a book: how much is had at which price."""

from __future__ import annotations

from collections.abc import Sequence

from brokerage.domain.market.ticks import Level
from brokerage.domain.orders.order import Side


def sweep(side: Side, quantity: int, levels: Sequence[Level], limit: int | None = None) -> tuple[Level, ...]:
    """What an order takes of the other side, best price first, down to its limit; the rest stays.

    `levels` are best first: rising asks for a buy, falling bids for a sale. The sum may be less than `quantity`.
    """
    taken: list[Level] = []
    for level in levels:
        if quantity <= 0 or (limit is not None and (level.price - limit) * side.sign > 0):
            break
        had = min(quantity, level.quantity)
        if had:
            taken.append(Level(level.price, had))
            quantity -= had
    return tuple(taken)


def left(levels: Sequence[Level], price: int, quantity: int) -> tuple[Level, ...]:
    """What is left of a side of the book after an order took so much at a price; a level without rest is gone."""
    rest = (Level(one.price, one.quantity - quantity) if one.price == price else one for one in levels)
    return tuple(one for one in rest if one.quantity > 0)
