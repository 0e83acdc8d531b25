"""First-in-first-out lots beside the average cost: which purchase a sale closes, and what it earned.

Quantities, costs and profits are those of `position`, cut differently: over any history realised profit less the cost
of what is open is what trading paid, to the unit, and when all is closed the two methods agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    cost = instrument.notional(fill.price, fill.quantity)
    return received_lot(lots, Lot(fill.quantity, cost, fill.at_ns, fill.trade_id), fill.at_ns)


def received_lot(lots: Sequence[Lot], lot: Lot, at_ns: int) -> tuple[tuple[Lot, ...], tuple[ClosedLot, ...]]:
    """The lots after one came in at an instant, with the time it was opened; what it closed, each part at its cost."""
    left, rest, flow = lot.quantity, list(lots), -lot.cost
    closed: list[ClosedLot] = []
    while left and rest and rest[0].quantity * left < 0:
        first = rest[0]
        taken = min(abs(first.quantity), abs(left))
        cost = divide(first.cost * taken, abs(first.quantity))
        proceeds = divide(flow * taken, abs(left))
        signed = taken if first.quantity > 0 else -taken
        closed.append(ClosedLot(signed, cost, proceeds, first.opened_ns, at_ns))
        flow, left = flow - proceeds, left + signed
        rest[:1] = (
            []
            if taken == abs(first.quantity)
            else [Lot(first.quantity - signed, first.cost - cost, first.opened_ns, first.trade_id)]
        )
    if left:
        rest.append(Lot(fit(left, "lot quantity"), -flow, lot.opened_ns, lot.trade_id))
    return tuple(rest), tuple(closed)


def split_lots(lots: Sequence[Lot], instrument: Instrument, ratio: Fraction, quantity: int) -> tuple[Lot, ...]:
    """The lots after a split whose position became `quantity` (see models.corporate): shared in order, in whole lots.

    A lot that nothing is left of is gone, with its cost in what the split paid out.
    """
    found: list[Lot] = []
    for lot, size in zip(lots, _shared(lots, instrument, ratio, quantity), strict=True):
        if size:
            kept = min(Fraction(size) / (abs(lot.quantity) * ratio), Fraction(1))
            cost = divide(lot.cost * kept.numerator, kept.denominator)
            found.append(Lot(size if lot.quantity > 0 else -size, cost, lot.opened_ns, lot.trade_id))
    return tuple(found)


def converted_lots(
    lots: Sequence[Lot], into: Instrument, ratio: Fraction, quantity: int, kept: Fraction
) -> tuple[Lot, ...]:
    """The lots of new shares that `lots` became (see models.corporate.convert): `quantity` of them shared in order, in
    whole lots, with the time each was opened. `ratio` is in units of the two quantity scales; `kept` of the cost goes
    with the new shares, and of a lot that nothing is left of into the next that there is.
    """
    found: list[Lot] = []
    carried = 0
    for lot, size in zip(lots, _shared(lots, into, ratio, quantity), strict=True):
        carried += divide(lot.cost * kept.numerator, kept.denominator)
        if size:
            found.append(Lot(size if lot.quantity > 0 else -size, carried, lot.opened_ns, lot.trade_id))
            carried = 0
    if carried and found:
        found[-1] = replace(found[-1], cost=found[-1].cost + carried)
    return tuple(found)


def _shared(lots: Sequence[Lot], instrument: Instrument, ratio: Fraction, quantity: int) -> list[int]:
    """How many of the new shares each lot becomes: whole lots of an instrument, in order, `quantity` in all."""
    found: list[int] = []
    before = given = 0
    for place, lot in enumerate(lots):
        before += abs(lot.quantity)
        last = place == len(lots) - 1
        upto = abs(quantity) if last else floor(before * ratio / instrument.lot) * instrument.lot
        found.append(upto - given)
        given = upto
    return found


@dataclass(frozen=True, slots=True)
class LotSplit:
    """A split as lots see it: the ratio, the position after it, and the cash it paid out."""

    ratio: Fraction
    quantity: int
    cash: int


@dataclass(frozen=True, slots=True)
class LotsConverted:
    """All lots as they became shares of another symbol and cash: the cash, of contracts their value, and the cost that
    went with the shares.
    """

    cash: int
    cost: int


@dataclass(frozen=True, slots=True)
class LotReceived:
    """A lot that came in without a trade, and when."""

    lot: Lot
    at_ns: int


LotStep = LotFill | LotSplit | LotsConverted | LotReceived


@dataclass(frozen=True, slots=True)
class FifoBook:
    """First-in-first-out lots of one position: what is open, what was closed, and what splits and conversions paid out
    beyond cost.
    """

    lots: tuple[Lot, ...] = ()
    closed: tuple[ClosedLot, ...] = ()
    paid_profit: int = 0

    @property
    def profit(self) -> int:
        """Realised profit, fees in quote currency apart."""
        return sum(one.profit for one in self.closed) + self.paid_profit

    @property
    def cost(self) -> int:
        """The signed cost of what is open."""
        return sum(lot.cost for lot in self.lots)


def fifo_book(instrument: Instrument, history: Sequence[LotStep]) -> FifoBook:
    """Fold the fills, splits and conversions of a position, in order.

    profit - cost is that of the average-cost position at every point, to the unit; the two differ in when they realise.
    Of symbols that a conversion joins it is their sum, since it moves another part of the cost from one to the other.
    """
    lots: tuple[Lot, ...] = ()
    closed: list[ClosedLot] = []
    paid_profit = 0
    for step in history:
        match step:
            case LotFill():
                lots, ended = traded_lots(lots, instrument, step)
                closed += ended
            case LotReceived():
                lots, ended = received_lot(lots, step.lot, step.at_ns)
                closed += ended
            case LotSplit():
                kept = split_lots(lots, instrument, step.ratio, step.quantity)
                paid_profit += step.cash - sum(lot.cost for lot in lots) + sum(lot.cost for lot in kept)
                lots = kept
            case LotsConverted():
                paid_profit += step.cash - sum(lot.cost for lot in lots) + step.cost
                lots = ()
    return FifoBook(lots, tuple(closed), paid_profit)


def lot_fills(instrument: Instrument, signed: int, fill: Fill) -> tuple[LotFill, ...]:
    """A fill as lots see it: a fee in base is a sale of what it withholds, at the fill's price."""
    made = LotFill(signed, fill.price, fill.venue_ns, fill.trade_id)
    if not instrument.withholds(fill.fee_currency) or not fill.fee:
        return (made,)
    return made, LotFill(-fill.fee, fill.price, fill.venue_ns, fill.trade_id)
