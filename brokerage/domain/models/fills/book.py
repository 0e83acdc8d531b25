"""Fills against levels of a book: how much is had at which price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from brokerage.domain.orders.order import Side


@dataclass(frozen=True, slots=True)
class Level:
    """A price of the other side of the book and the quantity there, at the instrument's scales."""

    price: int
    quantity: int


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
