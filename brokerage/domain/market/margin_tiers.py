"""Margin tiers of an instrument: what a position must keep, and the most leverage it may be opened with, by notional.

As Binance publishes them for USD-M futures ("Leverage and Margin of USDS-M Futures", FAQ 360033162192; GET
/fapi/v1/leverageBracket): maintenance = notional x rate - amount of the tier that the notional at the mark is in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from brokerage.domain.money import RATE_ONE, RATE_SCALE, currency_scale, money_text
from qmtl.core.decimals import parse_decimal, to_scaled
from qmtl.core.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class MarginTier:
    """Up to a notional (`notional_cap` included), beyond the cap of the tier before: the most leverage for opening, the
    maintenance rate in 1e-8, and the amount that is taken off. Cap and amount are scaled quote currency.
    """

    notional_cap: int
    leverage_max: int
    rate: int
    amount: int


@dataclass(frozen=True, slots=True)
class MarginTiers:
    """The tiers of an instrument, the smallest first; none where they are not known.

    Raises InvalidRequest (E_INSTRUMENT_INVALID) for tiers whose caps do not rise, whose rates or amounts fall, whose
    leverage rises, or with a number out of its range.
    """

    tiers: tuple[MarginTier, ...] = ()

    def __post_init__(self) -> None:
        before = MarginTier(0, 1_000, 0, 0)
        for number, tier in enumerate(self.tiers, 1):
            if tier.notional_cap <= before.notional_cap:
                raise _invalid(number, "notional cap", "above that of the tier before")
            if not before.rate <= tier.rate < RATE_ONE or not tier.rate:
                raise _invalid(number, "maintenance rate", "above 0, below 1 and no less than that of the tier before")
            if not 1 <= tier.leverage_max <= before.leverage_max:
                raise _invalid(number, "leverage", "1 to that of the tier before")
            if tier.amount < before.amount or before.notional_cap * tier.rate < tier.amount * RATE_ONE:
                want = "no less than that of the tier before, and no more than the margin at its lowest notional"
                raise _invalid(number, "maintenance amount", want)
            before = tier

    def __bool__(self) -> bool:
        return bool(self.tiers)

    @property
    def notional_max(self) -> int:
        """The most notional that may be opened."""
        return self.tiers[-1].notional_cap

    def tier_of(self, notional: int) -> MarginTier:
        """The tier of a notional; beyond the last cap, where the price can carry a position, the last."""
        return next((tier for tier in self.tiers if notional <= tier.notional_cap), self.tiers[-1])

    def to_hold(self, value: int) -> int:
        """Maintenance margin of a signed notional, up to a whole unit: equity that covers it lacks no fraction."""
        tier = self.tier_of(abs(value))
        kept: int = -(-abs(value) * tier.rate // RATE_ONE) - tier.amount
        return kept

    def to_open(self, value: int, leverage: int, beside: int = 0) -> int:
        """Initial margin of a signed notional under a leverage that was chosen, and no more than the tier has in which
        it comes with what is held or worked `beside` it, up to a whole unit.
        """
        return -(-abs(value) // min(leverage, self.tier_of(abs(value) + beside).leverage_max))

    def liquidated_at(self, rest: int, side: int, cost: int) -> Fraction | None:
        """The notional at which equity no longer exceeds maintenance, of a position on a side (1 or -1) with a signed
        cost; `rest` is all other equity less all other maintenance. None: at no price above 0.

        Binance's formula, "How to Calculate Liquidation Price of USDS-M Futures Contracts" (FAQ b3c689c1f50a), as
        notional = size x price: (WB - TMM + UPNL + cum - side x size x entry) / (MMR - side), with the rate and the
        amount of the tier that this notional itself is in.
        """
        floors = [0, *(tier.notional_cap for tier in self.tiers[:-1])]
        every = list(zip(self.tiers, floors, strict=True))
        for tier, floor in reversed(every) if side > 0 else every:
            found = Fraction((rest - cost + tier.amount) * RATE_ONE, tier.rate - side * RATE_ONE)
            if side > 0 and found > floor:
                return found if tier is self.tiers[-1] else min(found, Fraction(tier.notional_cap))
            if side < 0 and (found <= tier.notional_cap or tier is self.tiers[-1]):
                found = max(found, Fraction(floor))
                return found if found > 0 else None
        return None


NO_TIERS = MarginTiers()


def margin_tiers(quote: str, rows: Iterable[tuple[str, int, str, str]]) -> MarginTiers:
    """Tiers of decimal text: notional cap in quote currency, most leverage, maintenance rate, maintenance amount
    (empty: the one that lets margin rise without a step, which a written one has to be within a unit of currency).

    Raises InvalidRequest (E_DECIMAL, E_INSTRUMENT_INVALID).
    """
    scale, tiers, before = currency_scale(quote), list[MarginTier](), MarginTier(0, 1, 0, 0)
    for number, (cap, leverage, share, written) in enumerate(rows, 1):
        found = to_scaled(parse_decimal(share, f"margin tier {number}: maintenance rate"), RATE_SCALE)
        smooth = before.amount + Fraction(before.notional_cap * (found - before.rate), RATE_ONE)
        amount = int(smooth)
        if written:
            amount = to_scaled(parse_decimal(written, f"margin tier {number}: maintenance amount"), scale)
            if abs(amount - smooth) > 10**scale:
                want = f"{money_text(quote, int(smooth))} within 1 {quote}: margin has no step from tier to tier"
                raise _invalid(number, f"maintenance amount {written}", want)
        capped = to_scaled(parse_decimal(cap, f"margin tier {number}: notional cap"), scale)
        before = MarginTier(capped, leverage, found, amount)
        tiers.append(before)
    return MarginTiers(tuple(tiers))


def _invalid(number: int, what: str, want: str) -> InvalidRequest:
    return InvalidRequest("E_INSTRUMENT_INVALID", f"margin tier {number}: {what}, want {want}")
