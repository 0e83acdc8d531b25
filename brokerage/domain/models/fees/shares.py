"""Per-share commissions with a minimum and a cap an order, at one rate or at marginal tiers of monthly shares."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fees.model import Execution, NoShareOfValue, VolumeCount
from brokerage.domain.money import RATE_ONE, currency_scale, divide


@dataclass(frozen=True, slots=True)
class ShareTier:
    """The rate of the shares beyond `above` (whole shares) in a month, in 1e-8 of the quote currency a share."""

    above: int
    rate: int


@dataclass(frozen=True, slots=True)
class PerShareFee(NoShareOfValue):
    """order fee = min(max(minimum, sum of rate x shares), cap x value), in quote currency; 0 before any fill.

    Tiers are marginal: each rate holds for the shares of the month between its threshold and the next. `minimum` and
    `fraction_minimum` (for an order of less than one share) are at the quote currency's scale, `cap` in 1e-8 of the
    value, 0 for none. Where the two clash the cap wins, as IBKR's page says; `minimum_wins` turns that round, as Lean
    has it. A fill pays what its order owes after it less what it owed before, so fills never pay a minimum twice.
    """

    tiers: tuple[ShareTier, ...]
    minimum: int = 0
    cap: int = 0
    fraction_minimum: int = 0
    minimum_wins: bool = False

    @property
    def counts(self) -> VolumeCount | None:
        """Shares of the month, where there are tiers."""
        return VolumeCount(0, shares=True) if len(self.tiers) > 1 else None

    def charge(self, execution: Execution) -> tuple[int, str]:
        """What the fill adds to its order's commission, and the currency."""
        instrument, month = execution.instrument, execution.volume
        before = self.of_order(instrument, execution.filled, execution.filled_notional, month)
        quantity, notional = execution.filled + execution.quantity, execution.filled_notional + execution.notional
        return self.of_order(instrument, quantity, notional, month) - before, instrument.quote

    def of_order(self, instrument: Instrument, quantity: int, notional: int, month: int = 0) -> int:
        """The commission of an order that has filled `quantity` after `month` shares traded before it."""
        if not quantity:
            return 0
        capped = divide(abs(notional) * self.cap, RATE_ONE) if self.cap else None
        owed = self._by_shares(instrument, quantity, month)
        least = self.fraction_minimum if quantity < 10**instrument.quantity_scale else self.minimum
        if self.minimum_wins:
            return max(owed if capped is None else min(owed, capped), least)
        owed = max(owed, least)
        return owed if capped is None else min(owed, capped)

    def bound(self, instrument: Instrument, notional: int, quantity: int, orders: int = 1) -> int:
        """Every order at its minimum and every share at the first tier, within the cap where the cap wins."""
        each = max(self.minimum, self.fraction_minimum)
        dearest = max(tier.rate for tier in self.tiers)
        most = orders * (each + 1) + self._amount(instrument, dearest * quantity)
        if not self.cap or self.minimum_wins:
            return most
        return min(most, divide(abs(notional) * self.cap, RATE_ONE) + orders)

    def _by_shares(self, instrument: Instrument, quantity: int, month: int) -> int:
        """The sum over the tiers that the shares from `month` on fall in."""
        last, total, unit = month + quantity, 0, 10**instrument.quantity_scale
        ends = [tier.above * unit for tier in self.tiers[1:]]
        for tier, end in zip(self.tiers, [*ends, last], strict=True):
            total += max(min(last, end) - max(month, tier.above * unit), 0) * tier.rate
        return self._amount(instrument, total)

    def _amount(self, instrument: Instrument, rated: int) -> int:
        """Rate x shares as money of the quote currency, half to even."""
        return divide(rated * 10 ** currency_scale(instrument.quote), RATE_ONE * 10**instrument.quantity_scale)
