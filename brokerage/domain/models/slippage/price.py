"""A price moved against the trader by a slippage model, outward to a tick."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.slippage.model import SlippageModel, Taken
from brokerage.domain.orders.order import Side
from qmtl.core.fast_init import fast_init


@fast_init
@dataclass(frozen=True, slots=True)
class Slip:
    """What moves the price of one fill: the model, and all it asks but the price."""

    model: SlippageModel
    instrument: Instrument
    side: Side
    quantity: int = 0
    volume: int = 0
    bid: int = 0
    ask: int = 0

    def moved(self, price: int) -> int:
        """`price` against the trader, outward to a tick and at least one tick; unmoved where the distance is 0."""
        taken = Taken(self.instrument, self.side, price, self.quantity, self.volume, self.bid, self.ask)
        distance = self.model.distance(taken)
        if not distance:
            return price
        tick = self.instrument.tick
        return max(price - self.side.sign * (-distance // tick) * tick, tick)
