"""The steps that made the first-in-first-out lots of an account: fills, splits and conversions, by symbol."""

from __future__ import annotations

from fractions import Fraction

from brokerage.domain.accounts.lots import (
    FifoBook,
    Lot,
    LotReceived,
    LotsConverted,
    LotSplit,
    LotStep,
    converted_lots,
    fifo_book,
    lot_fills,
)
from brokerage.domain.accounts.position import Position
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.corporate import convert
from brokerage.domain.orders.events import Fill
from brokerage.domain.orders.order import Side
from brokerage.domain.simulation.carry import Payment


class LotHistory:
    """The steps of each symbol, in order."""

    def __init__(self) -> None:
        self._steps: dict[str, list[tuple[Side, Fill] | LotStep]] = {}

    def filled(self, symbol: str, side: Side, fill: Fill) -> None:
        """A fill was booked."""
        self._steps.setdefault(symbol, []).append((side, fill))

    def split(self, symbol: str, step: LotSplit) -> None:
        """The shares were split."""
        self._steps.setdefault(symbol, []).append(step)

    def convert(self, instrument: Instrument, position: Position, payment: Payment) -> None:
        """What is held, a position, is about to become what a payment says: its lots go over with their times."""
        terms, moved = payment.conversion, tuple[Lot, ...]()
        if terms is None:
            return
        made, into = convert(position, instrument, terms), terms.into
        if into is not None and made.quantity:
            ratio = terms.ratio * Fraction(10) ** (into.quantity_scale - instrument.quantity_scale)
            moved = converted_lots(self.book(instrument).lots, into, ratio, made.quantity, made.kept)
            received = (LotReceived(lot, payment.at_ns) for lot in moved)
            self._steps.setdefault(into.symbol, []).extend(received)
        value = payment.amount + (position.cost if instrument.pays_profit_only else 0)
        step = LotsConverted(value, sum(lot.cost for lot in moved))
        self._steps.setdefault(instrument.symbol, []).append(step)

    def book(self, instrument: Instrument) -> FifoBook:
        """The lots of a symbol."""
        history: list[LotStep] = []
        for step in self._steps.get(instrument.symbol, ()):
            if isinstance(step, tuple):
                side, fill = step
                history.extend(lot_fills(instrument, side.sign * fill.quantity, fill))
            else:
                history.append(step)
        return fifo_book(instrument, history)
