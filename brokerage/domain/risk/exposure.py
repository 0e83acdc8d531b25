"""Exposure: what positions and open orders come to at their worst, valued at the mark."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.order import Side
from qmtl.core.fast_init import fast_init


@fast_init
@dataclass(frozen=True, slots=True)
class Exposure:
    """Worth of a part of a book in quote currency: `gross` at worst, `long` were all buys filled, `short` all sells."""

    gross: int = 0
    long: int = 0
    short: int = 0

    def __add__(self, other: Exposure) -> Exposure:
        return Exposure(self.gross + other.gross, self.long + other.long, self.short + other.short)

    def net(self, side: Side) -> int:
        """How far it goes to one side."""
        return self.long if side is Side.BUY else -self.short


NO_EXPOSURE = Exposure()


def exposure_of(instrument: Instrument, mark: int, held: int, buys: int, sells: int) -> Exposure:
    """Exposure of one owner's position with its open orders in one symbol."""
    up, down = instrument.notional(mark, held + buys), instrument.notional(mark, held - sells)
    return Exposure(max(abs(up), abs(down)), up, down)
