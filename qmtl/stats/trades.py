"""Round trips from fills: what each position made, net of fees, from flat to flat or through zero.

Average cost, exact decimals.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

from qmtl.core.fills import FillEvent
from qmtl.stats.moments import ratio

ZERO, ONE = Decimal(0), Decimal(1)


@dataclass(frozen=True, slots=True)
class SplitStep:
    """A split of a held position after so many fills of the run: new shares for each old one, what is held then, and
    the cash for the rest (negative: paid by a short). `account` as of the fills.
    """

    symbol: str
    fills_before: int
    time_ns: int
    ratio: Fraction
    held: Decimal
    cash: Decimal
    account: str = ""


@dataclass(frozen=True, slots=True)
class ConversionStep:
    """A held position that became other shares and cash after so many fills of the run: the signed quantity of `into`
    (empty: none), the cash (negative: paid by a short; of a contract its value), the share of the cost that went with
    the shares, and how many of them one share became. `account` as of the fills.
    """

    symbol: str
    fills_before: int
    time_ns: int
    into: str
    received: Decimal
    cash: Decimal
    kept: Fraction
    ratio: Fraction = Fraction(0)
    account: str = ""


ShareStep = SplitStep | ConversionStep


@dataclass(slots=True)
class _Open:
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    profit: Decimal = ZERO


NO_MULTIPLIERS: Mapping[str, Decimal] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ClosedTrip:
    """A round trip, flat to flat or through zero: net profit in the quote currency, exact."""

    symbol: str
    closed_ns: int
    profit: Decimal


def round_trips(
    fills: Sequence[FillEvent],
    quote: str,
    multipliers: Mapping[str, Decimal] = NO_MULTIPLIERS,
    steps: Iterable[ShareStep] = (),
) -> tuple[Trade, ...]:
    """Closed round trips in order of closing; profit in the quote currency, as doubles. See `closed_trips`."""
    return tuple(Trade(trip.closed_ns, float(trip.profit)) for trip in closed_trips(fills, quote, multipliers, steps))


def closed_trips(
    fills: Sequence[FillEvent],
    quote: str,
    multipliers: Mapping[str, Decimal] = NO_MULTIPLIERS,
    steps: Iterable[ShareStep] = (),
) -> Iterator[ClosedTrip]:
    """Closed round trips in order of closing; profit in the quote currency.

    `multipliers`: the value of one unit per unit of price, 1 where none is given. `steps` are splits and
    conversions, in order: a trip goes on in the shares that its own became.
    """
    books: dict[str, _Open] = {}
    waiting = deque(steps)
    for number in range(len(fills) + 1):
        while waiting and waiting[0].fills_before == number:
            step = waiting.popleft()
            book = books.setdefault(step.symbol, _Open())
            if isinstance(step, SplitStep):
                ended = [(step.symbol, _split(book, step))]
            else:
                ended = _convert(book, books.setdefault(step.into, _Open()), step)
            yield from (ClosedTrip(symbol, step.time_ns, profit) for symbol, profit in ended if profit is not None)
        if number < len(fills):
            fill = fills[number]
            value = multipliers.get(fill.symbol, ONE)
            profit = _book(books.setdefault(fill.symbol, _Open()), fill, quote, value)
            if profit is not None:
                yield ClosedTrip(fill.symbol, fill.time_ns, profit)


def _split(book: _Open, step: SplitStep) -> Decimal | None:
    """The rest that is paid out takes its share of the cost with it; a profit where nothing is left."""
    if not book.quantity:
        return None
    kept = Fraction(step.held) / (Fraction(book.quantity) * step.ratio)
    left = book.cost * kept.numerator / kept.denominator
    book.profit += step.cash - (book.cost - left)
    book.quantity, book.cost = step.held, left
    if book.quantity:
        return None
    profit, book.profit = book.profit, ZERO
    return profit


def _convert(book: _Open, into: _Open, step: ConversionStep) -> list[tuple[str, Decimal | None]]:
    """The old trip ends with the cash where nothing else is left of it, and else goes on in the new shares."""
    if not book.quantity:
        return []
    moved = book.cost * step.kept.numerator / step.kept.denominator
    profit = book.profit + step.cash - (book.cost - moved)
    book.quantity, book.cost, book.profit = ZERO, ZERO, ZERO
    if not step.received:
        return [(step.symbol, profit)]
    into.profit += profit
    return [(step.into, _traded(into, step.received, moved / step.received, ZERO))]


def _book(book: _Open, fill: FillEvent, quote: str, multiplier: Decimal) -> Decimal | None:
    signed, price, fee = _received(fill, quote)
    return _traded(book, signed, price * multiplier, fee)


def _traded(book: _Open, signed: Decimal, price: Decimal, fee: Decimal) -> Decimal | None:
    """Take a signed quantity at what a unit of it cost; the profit of a trip that this ended."""
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
