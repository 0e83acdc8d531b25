"""Buying power: what an order takes of an account's money, and what open orders and positions hold of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fees.model import FeeModel
from brokerage.domain.money import fit
from brokerage.domain.orders.order import Side
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

    def at_worst(
        self, instrument: Instrument, mark: int, held: int, buys: OpenOrderTotals, sells: OpenOrderTotals
    ) -> int:
        """Equity that a position and its open orders may hold, in quote currency, whichever of them fill (MARGIN).

        The margin of what is then held, at its highest, with the fees paid until then. An order that turns a position
        round holds its opening part only: its closing part has freed the margin of the position by then.
        """
        now = self.held_by_position(instrument.notional(mark, held))
        up, fee_up = self._filled(instrument, mark, held, Side.BUY, buys)
        down, fee_down = self._filled(instrument, mark, held, Side.SELL, sells)
        worst = max(now, up + fee_up, down + fee_down)
        if buys.taking and sells.taking:
            worst = max(worst, max(up, down) + fee_up + fee_down)
        return fit(worst, "commitment")

    def _filled(
        self, instrument: Instrument, mark: int, held: int, side: Side, orders: OpenOrderTotals
    ) -> tuple[int, int]:
        """The margin of a position once all orders of a side are filled, and their fees."""
        quantity = orders.quantity - orders.reducing
        notional = orders.priced + instrument.notional(mark, orders.unpriced)
        fees = self.fee.bound(instrument, notional, quantity, orders.taking) if orders.taking else 0
        against = max(-held * side.sign - orders.reducing, 0)
        if held * side.sign >= 0:
            return self.held_by_position(instrument.notional(mark, held)) - (-notional // self.leverage), fees
        if quantity <= against:
            return self.held_by_position(instrument.notional(mark, against - quantity)), fees
        # which of several orders closes and which opens depends on their prices: then all of them count as opening
        opened = -(-notional * (quantity - against) // quantity) if orders.taking == 1 else notional
        return -(-opened // self.leverage), fees

    def needed(self, instrument: Instrument, price: int, quantity: int) -> int:
        """Quote currency that buying `quantity` at `price` takes of a CASH account: notional and fee."""
        notional = instrument.notional(price, quantity)
        return fit(notional + self.fee.bound(instrument, notional, quantity), "commitment")

    def committed(self, buys: OpenOrderTotals, instrument: Instrument, mark: int) -> int:
        """Quote currency that open buys may still consume of a CASH account: what later orders must leave free.

        The fee is the most that so many orders may be charged.
        """
        if not buys.taking:
            return 0
        notional = buys.priced + instrument.notional(mark, buys.unpriced)
        fees = self.fee.bound(instrument, notional, buys.quantity - buys.reducing, buys.taking)
        return fit(notional + fees, "commitment")
