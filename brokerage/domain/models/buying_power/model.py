"""Buying power: what an order takes of an account's money, and what open orders and positions hold of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.buying_power.margins import Held, Margins, TierMargins
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
    """Cash or margin, by `margins`, else by the instrument's tiers, else at the leverage, with the fees that orders
    take beside their notional.
    """

    kind: BuyingPower
    leverage: int
    fee: FeeModel
    margins: Margins | None = None

    def held_by_position(self, value: int) -> int:
        """What a position of a signed value holds of the equity at the leverage, up to a whole unit."""
        return -(-abs(value) // self.leverage)

    def initial(self, held: Held) -> int:
        """The margin of a position that is opened."""
        margins = self.margins_of(held.instrument)
        return self.held_by_position(held.value) if margins is None else margins.initial(held)

    def maintenance(self, held: Held) -> int:
        """The margin of a position that is kept."""
        margins = self.margins_of(held.instrument)
        return self.held_by_position(held.value) if margins is None else margins.maintenance(held)

    def margins_of(self, instrument: Instrument) -> Margins | None:
        """The rules of an instrument's margin; None: the leverage alone."""
        return self.margins or (TierMargins(self.leverage) if instrument.margin_tiers else None)

    def by_tiers(self, instrument: Instrument) -> bool:
        """Whether the instrument's own tiers set its margin."""
        return self.margins is None and bool(instrument.margin_tiers)

    def at_worst(
        self,
        instrument: Instrument,
        mark: int,
        held: int,
        buys: OpenOrderTotals,
        sells: OpenOrderTotals,
        at_ns: int = 0,
        beside: int = 0,
    ) -> int:
        """Equity that a position and its open orders may hold, in quote currency, whichever of them fill (MARGIN). The
        mark is of `at_ns`, `beside` as of Held.

        The margin of what is then held, at its highest, with the fees paid until then. An order that turns a position
        round holds its opening part only: its closing part has freed the margin of the position by then.
        """
        at = Held(instrument, held, instrument.notional(mark, held), at_ns, beside)
        now = self.initial(at)
        if not (buys.orders or sells.orders):
            return fit(now, "commitment")
        up, fee_up = self._filled(at, mark, Side.BUY, buys) if buys.orders else (now, 0)
        down, fee_down = self._filled(at, mark, Side.SELL, sells) if sells.orders else (now, 0)
        worst = max(now, up + fee_up, down + fee_down)
        if buys.taking and sells.taking:
            worst = max(worst, max(up, down) + fee_up + fee_down)
        return fit(worst, "commitment")

    def _filled(self, at: Held, mark: int, side: Side, orders: OpenOrderTotals) -> tuple[int, int]:
        """The margin of a position once all orders of a side are filled, and their fees."""
        instrument, held = at.instrument, at.quantity
        quantity = orders.quantity - orders.reducing
        notional = orders.priced + instrument.notional(mark, orders.unpriced)
        fees = self.fee.bound(instrument, notional, quantity, orders.taking) if orders.taking else 0
        against = max(-held * side.sign - orders.reducing, 0)
        if held * side.sign >= 0:
            return self._opened(at, side, quantity, notional), fees
        if quantity <= against:
            rest = side.sign * (quantity - against)
            return self.initial(_moved(at, rest, instrument.notional(mark, rest))), fees
        # which of several orders closes and which opens depends on their prices: then all of them count as opening
        opened = -(-notional * (quantity - against) // quantity) if orders.taking == 1 else notional
        return self._opened(_moved(at, 0, 0), side, quantity - against, opened), fees

    def _opened(self, at: Held, side: Side, quantity: int, notional: int) -> int:
        """The margin of a position and of what is opened beside it on its side, at a price of its own."""
        margins = self.margins_of(at.instrument)
        if margins is None:
            return self.held_by_position(at.value) + self.held_by_position(notional)
        more, worth = at.quantity + side.sign * quantity, at.value + side.sign * notional
        return margins.initial(_moved(at, more, worth))

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


def _moved(at: Held, quantity: int, value: int) -> Held:
    """What is held, with another quantity of another value."""
    return Held(at.instrument, quantity, value, at.at_ns, at.beside)
