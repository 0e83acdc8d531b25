"""Percent fees: a share of the notional, by maker and taker."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import RATE_ONE, divide
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side


class FeeCurrency(Enum):
    QUOTE = "QUOTE"
    BASE_ON_BUY = "BASE_ON_BUY"


@dataclass(frozen=True, slots=True)
class PercentFee:
    """A share of the notional, half to even at the fee currency's scale.

    BASE_ON_BUY charges buys in what was bought, as Binance spot does: a fee in base reduces the quantity received.
    """

    maker: int = 100_000
    taker: int = 100_000
    currency: FeeCurrency = FeeCurrency.QUOTE

    def charge(
        self, instrument: Instrument, side: Side, quantity: int, notional: int, liquidity: Liquidity
    ) -> tuple[int, str]:
        """The fee and its currency. A base fee is at the instrument's quantity scale."""
        share = self.maker if liquidity is Liquidity.MAKER else self.taker
        if self.currency is FeeCurrency.BASE_ON_BUY and side is Side.BUY:
            return divide(quantity * share, RATE_ONE), instrument.base
        return divide(notional * share, RATE_ONE), instrument.quote

    def estimate(self, notional: int) -> int:
        """An upper bound of the fee on a notional, in quote currency, for reservations."""
        return divide(notional * max(self.maker, self.taker), RATE_ONE) + 1
