"""First-in-first-out lots beside the average cost: which purchase a sale closes, and what it earned.

Quantities, costs and profits are those of `position`, cut differently: over any history realised profit less the cost
of what is open is what trading paid, to the unit, and when all is closed the two methods agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import divide, fit
from brokerage.domain.orders.events import Fill


@dataclass(frozen=True, slots=True)
class Lot:
    """What one fill opened and is still there: a signed quantity with its signed cost in quote currency."""

    quantity: int
    cost: int
    opened_ns: int
    trade_id: str


@dataclass(frozen=True, slots=True)
class ClosedLot:
    """A lot, or a part of one, that a fill closed: its profit is what came in less its cost, fees apart."""

    quantity: int
    cost: int
    proceeds: int
    opened_ns: int
    closed_ns: int

    @property
    def profit(self) -> int:
        """Realised profit; for a short the cost is what was received, negative, and the proceeds what was paid."""
        return self.proceeds - self.cost


@dataclass(frozen=True, slots=True)
class LotFill:
    """A fill as lots see it: a signed quantity at a price."""

    quantity: int
    price: int
    at_ns: int
    trade_id: str


def traded_lots(
    lots: Sequence[Lot], instrument: Instrument, fill: LotFill
) -> tuple[tuple[Lot, ...], tuple[ClosedLot, ...]]:
    """The lots after a fill, and what it closed, oldest first. A fill through zero closes all and opens the rest.

    What a fill pays is shared over the lots it closes by quantity, so that the parts add up to the fill.
    """
    left, rest = fill.quantity, list(lots)
    closed: list[ClosedLot] = []
    flow = -instrument.notional(fill.price, fill.quantity)
    while left and rest and rest[0].quantity * left < 0:
        first = rest[0]
        taken = min(abs(first.quantity), abs(left))
        cost = divide(first.cost * taken, abs(first.quantity))
        proceeds = divide(flow * taken, abs(left))
        signed = taken if first.quantity > 0 else -taken
        closed.append(ClosedLot(signed, cost, proceeds, first.opened_ns, fill.at_ns))
        flow, left = flow - proceeds, left + signed
        rest[:1] = (
            []
            if taken == abs(first.quantity)
            else [Lot(first.quantity - signed, first.cost - cost, first.opened_ns, first.trade_id)]
        )
    if left:
        rest.append(Lot(fit(left, "lot quantity"), -flow, fill.at_ns, fill.trade_id))
    return tuple(rest), tuple(closed)


def split_lots(lots: Sequence[Lot], instrument: Instrument, ratio: Fraction, quantity: int) -> tuple[Lot, ...]:
    """The lots after a split whose position became `quantity` (see models.corporate): shared in order, in whole lots.

    A lot that nothing is left of is gone, with its cost in what the split paid out.
    """
    found: list[Lot] = []
    before = given = 0
    for place, lot in enumerate(lots):
        before += abs(lot.quantity)
        last = place == len(lots) - 1
        upto = abs(quantity) if last else floor(before * ratio / instrument.lot) * instrument.lot
        exact, size = abs(lot.quantity) * ratio, upto - given
        given = upto
        if size:
            kept = min(Fraction(size) / exact, Fraction(1))
            cost = divide(lot.cost * kept.numerator, kept.denominator)
            found.append(Lot(size if lot.quantity > 0 else -size, cost, lot.opened_ns, lot.trade_id))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class LotSplit:
    """A split as lots see it: the ratio, the position after it, and the cash it paid out."""

    ratio: Fraction
    quantity: int
    cash: int


@dataclass(frozen=True, slots=True)
class FifoBook:
    """First-in-first-out lots of one position: what is open, what was closed, and what splits paid out beyond cost."""

    lots: tuple[Lot, ...] = ()
    closed: tuple[ClosedLot, ...] = ()
    split_profit: int = 0

    @property
    def profit(self) -> int:
        """Realised profit, fees in quote currency apart."""
        return sum(one.profit for one in self.closed) + self.split_profit

    @property
    def cost(self) -> int:
        """The signed cost of what is open."""
        return sum(lot.cost for lot in self.lots)


def fifo_book(instrument: Instrument, history: Sequence[LotFill | LotSplit]) -> FifoBook:
    """Fold the fills and splits of a position, in order.

    profit - cost is that of the average-cost position at every point, to the unit; the two differ in when they realise.
    """
    lots: tuple[Lot, ...] = ()
    closed: list[ClosedLot] = []
    split_profit = 0
    for step in history:
        if isinstance(step, LotFill):
            lots, ended = traded_lots(lots, instrument, step)
            closed += ended
        else:
            kept = split_lots(lots, instrument, step.ratio, step.quantity)
            split_profit += step.cash - sum(lot.cost for lot in lots) + sum(lot.cost for lot in kept)
            lots = kept
    return FifoBook(lots, tuple(closed), split_profit)


def lot_fills(instrument: Instrument, signed: int, fill: Fill) -> tuple[LotFill, ...]:
    """A fill as lots see it: a fee in base is a sale of what it withholds, at the fill's price."""
    made = LotFill(signed, fill.price, fill.venue_ns, fill.trade_id)
    if not instrument.withholds(fill.fee_currency) or not fill.fee:
        return (made,)
    return made, LotFill(-fill.fee, fill.price, fill.venue_ns, fill.trade_id)
