"""Buying power: what an order takes of an account's money, and what open orders and positions hold of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fees.model import FeeModel
from brokerage.domain.money import fit
from brokerage.domain.orders.totals import OpenOrderTotals


class BuyingPower(Enum):
    """CASH: no shorting, buys are paid in full. MARGIN: notional / leverage is held against equity."""

    CASH = "CASH"
    MARGIN = "MARGIN"


@dataclass(frozen=True, slots=True)
class BuyingPowerModel:
    """Cash or margin at a leverage, with the fees that orders take beside their notional."""

    kind: BuyingPower
    leverage: int
    fee: FeeModel

    def held_by_position(self, value: int) -> int:
        """What a position of a signed value holds of the equity: its margin, up to a whole unit."""
        return -(-abs(value) // self.leverage)

    def needed(self, instrument: Instrument, price: int, quantity: int) -> int:
        """Quote currency that opening `quantity` at `price` takes: notional / leverage and the fee."""
        notional = instrument.notional(price, quantity)
        return fit(-(-notional // self._leverage) + self.fee.bound(instrument, notional, quantity), "commitment")

    def committed(self, buys: OpenOrderTotals, sells: OpenOrderTotals, instrument: Instrument, mark: int) -> int:
        """Quote currency that open orders may still consume: what later orders must leave free.

        In the cash model only buys consume. In the margin model both sides do; that opposite orders cannot both add
        risk is not credited, which errs to the safe side. The fee is the most that so many orders may be charged.
        """
        taking = buys if self.kind is BuyingPower.CASH else buys + sells
        if not taking.taking:
            return 0
        notional = taking.priced + instrument.notional(mark, taking.unpriced)
        fees = self.fee.bound(instrument, notional, taking.quantity - taking.reducing, taking.taking)
        return fit(-(-notional // self._leverage) + fees, "commitment")

    @property
    def _leverage(self) -> int:
        return self.leverage if self.kind is BuyingPower.MARGIN else 1
