"""Which of several orders that cancel each other comes first in one bar, whose path between its prices is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from brokerage.domain.models.fills.outcome import Match
from brokerage.domain.orders.order import Side


@dataclass(frozen=True, slots=True)
class Rival:
    """An order of a one-cancels-other group, and what the bar would do to it alone."""

    order_id: str
    side: Side
    match: Match


def first_filled(rivals: Sequence[Rival]) -> Rival | None:
    """The order of a group that fills in a bar; the others are cancelled. None: none does.

    What fills at the open came first, as the open does. Where only the path could tell, the worse for the owner is
    taken: the lower price of sales, the higher of purchases, so a stop before its target. Ties go to the first given.
    """
    filled = [rival for rival in rivals if rival.match.quantity]
    at_open = [rival for rival in filled if rival.match.at_open]
    candidates = at_open or filled
    if not candidates:
        return None
    return max(candidates, key=lambda rival: rival.side.sign * rival.match.price)
