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
