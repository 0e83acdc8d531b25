"""Protection outlives permission: of whoever may only reduce, which open orders go and which stay until it is flat."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderState

_LEAVING = frozenset({OrderState.RELEASED, OrderState.PENDING_CANCEL})
"""What is asked at the wire again, and what ends already."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The orders that could add to a position, and those that only take off it but do not say so: they are to reduce
    only from now on.
    """

    ending: list[OrderRecord]
    narrowing: list[OrderRecord]


def withdrawal(book: StrategyBook, barred: Collection[Side]) -> Withdrawal:
    """What becomes of the open orders of an owner that may add nothing by orders of some sides.

    Reduce-only orders stay, and so does a side that is not barred. Of the others on the side that takes off the
    position those stay, the oldest first, that come to no more than is held; all the rest could add. What waits for a
    parent is asked when it goes.
    """
    found = Withdrawal([], [])
    for symbol in sorted(book.symbols()):
        held = book.held(symbol)
        left = abs(held)
        for record in _free(book.open_orders(symbol), barred):
            if held * record.order.side.sign < 0 and record.remaining <= left:
                left -= record.remaining
                found.narrowing.append(record)
            else:
                found.ending.append(record)
    return found


def _free(records: Iterable[OrderRecord], barred: Collection[Side]) -> list[OrderRecord]:
    return [
        record
        for record in records
        if record.order.side in barred
        and not record.order.reduce_only
        and not record.waiting
        and record.state not in _LEAVING
    ]
