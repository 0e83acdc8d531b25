"""Fees charged beside each other: a commission and what is passed through with it."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fees.model import Execution, FeeModel, VolumeCount
from brokerage.domain.money import RATE_ONE, divide
from qmtl.core.errors import Conflict, refused


@dataclass(frozen=True, slots=True)
class CompositeFee:
    """The sum of fees that are charged in one currency. Raises Conflict (E_FEE_CURRENCY_UNKNOWN) when they are not."""

    parts: tuple[FeeModel, ...]

    def __post_init__(self) -> None:
        counted = {part.counts for part in self.parts} - {None}
        if len(counted) > 1:
            raise refused("E_FIELD", "parts", f"{len(counted)} ways to count volume", "one")

    @property
    def rates(self) -> tuple[int, int]:
        """The sums of what the parts never fall below."""
        found = [part.rates for part in self.parts]
        return sum(maker for maker, _ in found), sum(taker for _, taker in found)

    @property
    def counts(self) -> VolumeCount | None:
        """The one way in which the parts count."""
        return next((part.counts for part in self.parts if part.counts is not None), None)

    def charge(self, execution: Execution) -> tuple[int, str]:
        """The sum of the parts' fees, in their one currency."""
        found = [part.charge(execution) for part in self.parts]
        currencies = {currency for amount, currency in found if amount} or {execution.instrument.quote}
        if len(currencies) > 1:
            raise Conflict(
                "E_FEE_CURRENCY_UNKNOWN", f"one fill's fees are in {', '.join(sorted(currencies))}, want one"
            )
        return sum(amount for amount, _ in found), currencies.pop()

    def bound(self, instrument: Instrument, notional: int, quantity: int, orders: int = 1) -> int:
        """The sum of the parts' bounds."""
        return sum(part.bound(instrument, notional, quantity, orders) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Surcharge:
    """A share of another fee, as exchanges' fees on commissions are: fee = rate x the fee of `on`."""

    on: FeeModel
    rate: int

    @property
    def rates(self) -> tuple[int, int]:
        """None is promised."""
        return 0, 0

    @property
    def counts(self) -> VolumeCount | None:
        """As the other fee does."""
        return self.on.counts

    def charge(self, execution: Execution) -> tuple[int, str]:
        """The share of the other fee, half to even, in its currency."""
        amount, currency = self.on.charge(execution)
        return divide(amount * self.rate, RATE_ONE), currency

    def bound(self, instrument: Instrument, notional: int, quantity: int, orders: int = 1) -> int:
        """The share of the other fee's bound."""
        return divide(self.on.bound(instrument, notional, quantity, orders) * self.rate, RATE_ONE) + orders
