"""What splits and dividends do to a position, and to the prices of open orders."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from brokerage.domain.accounts.position import Position
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import divide, fit
from brokerage.domain.orders.order import Side


@dataclass(frozen=True, slots=True)
class Split:
    """From an instant on there are `ratio` new shares for each old one: 4, or 1/10 for a reverse split."""

    symbol: str
    at_ns: int
    ratio: Fraction


@dataclass(frozen=True, slots=True)
class Dividend:
    """Cash a share, in quote currency, for who holds it (a short pays) at an instant, the ex-date's open."""

    symbol: str
    at_ns: int
    amount: Decimal


CorporateAction = Split | Dividend


@dataclass(frozen=True, slots=True)
class SplitResult:
    """A position after a split, and the cash for the part of a lot that is left (negative: paid by a short)."""

    position: Position
    cash: int


def split(position: Position, instrument: Instrument, ratio: Fraction, price: int) -> SplitResult:
    """`ratio` new shares for each old one: 4 for a 4:1 split, 1/10 for a reverse split of 1:10.

    quantity x ratio is cut to whole lots toward zero; the rest is paid in cash at `price`, the first price after the
    split. The rest takes its share of the cost with it, so equity at that price is what it was. Source: Lean.
    """
    exact = position.quantity * ratio
    lots = Fraction(abs(exact), instrument.lot)
    size = floor(lots) * instrument.lot
    quantity = size if exact > 0 else -size
    rest = exact - quantity
    cash = _value(instrument, price, rest)
    left = divide(position.cost * abs(quantity) * exact.denominator, abs(exact.numerator)) if exact else 0
    realised = position.realised + cash - (position.cost - left)
    moved = Position(
        fit(quantity, "position quantity"), left, fit(realised, "realised profit"), position.fees, position.fills
    )
    return SplitResult(moved, cash)


def _value(instrument: Instrument, price: int, quantity: Fraction) -> int:
    """The value of a part of a lot, half to even."""
    return divide(instrument.notional(price, quantity.numerator), quantity.denominator)


def split_price(price: int, instrument: Instrument, ratio: Fraction, side: Side) -> int:
    """The price of an open order after a split: price / ratio, to a tick toward less aggressive, at least one tick."""
    ticks = Fraction(price, instrument.tick) / ratio
    return max(floor(ticks) if side is Side.BUY else ceil(ticks), 1) * instrument.tick


def split_quantity(quantity: int, instrument: Instrument, ratio: Fraction) -> int:
    """The quantity of an open order after a split, cut to whole lots; 0: it is to be cancelled."""
    return floor(quantity * ratio / instrument.lot) * instrument.lot


def dividend(instrument: Instrument, quantity: int, distribution: int) -> int:
    """Cash of a dividend: quantity x distribution a share (at the price scale). A short pays it. Source: Lean."""
    return instrument.notional(distribution, quantity)
