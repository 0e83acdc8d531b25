"""Round trips from fills: what each position made, net of fees, from flat to flat or through zero.

Average cost, exact decimals.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from qmtl.core.fills import FillEvent
from qmtl.stats.moments import ratio

ZERO = Decimal(0)


@dataclass(slots=True)
class _Open:
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    profit: Decimal = ZERO


def round_trips(fills: Iterable[FillEvent], quote: str) -> tuple[Trade, ...]:
    """Closed round trips in order of closing; profit in the quote currency."""
    books: dict[str, _Open] = {}
    trades: list[Trade] = []
    for fill in fills:
        profit = _book(books.setdefault(fill.symbol, _Open()), fill, quote)
        if profit is not None:
            trades.append(Trade(fill.time_ns, float(profit)))
    return tuple(trades)


def _book(book: _Open, fill: FillEvent, quote: str) -> Decimal | None:
    signed, price, fee = _received(fill, quote)
    held = book.quantity
    if held * signed >= 0:
        book.quantity += signed
        book.cost += signed * price
        book.profit -= fee
        return None
    closing = -held if abs(signed) >= abs(held) else signed
    share = -closing / held
    book.profit += -closing * price - book.cost * share - fee
    book.cost -= book.cost * share
    book.quantity += signed
    if abs(signed) < abs(held):
        return None
    profit = book.profit
    book.cost, book.profit = book.quantity * price, ZERO
    return profit


def _received(fill: FillEvent, quote: str) -> tuple[Decimal, Decimal, Decimal]:
    """Quantity, price and quote fee; a fee taken in the asset lowers what is received, at a higher price."""
    if fill.fee_currency == quote or not fill.fee:
        return fill.quantity, fill.price, fill.fee
    received = fill.quantity - fill.fee
    return received, fill.quantity * fill.price / received, ZERO


@dataclass(frozen=True, slots=True)
class Trade:
    """A round trip, flat to flat (or through zero): net profit in account currency, and when it ended."""

    closed_ns: int
    profit: float


def win_rate(profits: Sequence[float]) -> float:
    """Share of round trips with a profit above 0, costs included."""
    return sum(profit > 0.0 for profit in profits) / len(profits) if profits else math.nan


def profit_factor(profits: Sequence[float]) -> float:
    """Sum of winning profits / sum of losing ones. NaN without a loss."""
    lost = -sum(profit for profit in profits if profit < 0.0)
    return ratio(sum(profit for profit in profits if profit > 0.0), lost)
