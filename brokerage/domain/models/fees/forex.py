"""Commissions of spot currency: a share of the value with a minimum an order, falling with the month's value."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fees.model import Execution, VolumeCount
from brokerage.domain.money import RATE_ONE, currency_scale, divide
from qmtl.core.errors import Conflict

BASIS_POINT = 10_000
"""A basis point as a rate of 1e-8."""


@dataclass(frozen=True, slots=True)
class ForexTier:
    """From a month's traded value on (`above`, at the table currency's scale, excluded): rate and minimum an order."""

    above: int
    rate: int
    minimum: int


@dataclass(frozen=True, slots=True)
class ForexFee:
    """order fee = max(minimum, rate x |value|), both at the tier of the month's value before the order.

    The table is in one currency. A pair quoted in it pays in it; a pair whose base it is pays the same in its quote
    currency at the price of the fill. Any other pair is refused: Conflict (E_FEE_CURRENCY_UNKNOWN). `volume` of an
    execution is the month's value in the table's currency.
    """

    tiers: tuple[ForexTier, ...]
    currency: str = "USD"

    @property
    def rates(self) -> tuple[int, int]:
        """The lowest rate of any tier, for both."""
        lowest = min(tier.rate for tier in self.tiers)
        return lowest, lowest

    @property
    def counts(self) -> VolumeCount | None:
        """Value of the month in the table's currency."""
        return VolumeCount(0, currency=self.currency)

    def charge(self, execution: Execution) -> tuple[int, str]:
        """What the fill adds to its order's commission, in quote currency."""
        instrument = execution.instrument
        tier = self._tier(execution.volume)
        before = self._of_order(tier, instrument, execution.filled, execution.filled_notional)
        quantity, notional = execution.filled + execution.quantity, execution.filled_notional + execution.notional
        return self._of_order(tier, instrument, quantity, notional) - before, instrument.quote

    def bound(self, instrument: Instrument, notional: int, quantity: int, orders: int = 1) -> int:
        """Every order at the first tier's minimum and all value at its rate."""
        if not quantity:
            return 0
        dear = max(tier.rate for tier in self.tiers)
        least = self._in_quote(instrument, max(tier.minimum for tier in self.tiers), quantity, abs(notional))
        return orders * (least + 1) + divide(abs(notional) * dear, RATE_ONE)

    def _tier(self, month: int) -> ForexTier:
        return [tier for tier in self.tiers if tier.above < month or not tier.above][-1]

    def _of_order(self, tier: ForexTier, instrument: Instrument, quantity: int, notional: int) -> int:
        if not quantity:
            return 0
        least = self._in_quote(instrument, tier.minimum, quantity, abs(notional))
        return max(least, divide(abs(notional) * tier.rate, RATE_ONE))

    def _value(self, instrument: Instrument, quantity: int, notional: int) -> int:
        """The value of a trade in the table's currency."""
        if instrument.quote == self.currency:
            return abs(notional)
        return divide(quantity * 10 ** currency_scale(self.currency), 10**instrument.quantity_scale)

    def _in_quote(self, instrument: Instrument, amount: int, quantity: int, notional: int) -> int:
        """An amount of the table's currency in quote currency, at the price of a trade, half to even."""
        if instrument.quote == self.currency:
            return amount
        if instrument.base != self.currency:
            raise Conflict(
                "E_FEE_CURRENCY_UNKNOWN", f"fees are in {self.currency}, which {instrument.symbol} has on neither side"
            )
        return divide(amount * notional, self._value(instrument, quantity, notional))
