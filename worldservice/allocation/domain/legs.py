"""Positions of strategies, and the legs that a change of shares makes of them. No leg takes a position through zero."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction

from qmtl.core.errors import NotReady
from worldservice.allocation.domain.scaling import Scale, ScaleMode, Scales
from worldservice.allocation.domain.shares import Owner


class LegReason(Enum):
    """Why a leg was dropped or changed."""

    BELOW_LOT = "BELOW_LOT"
    BELOW_MIN_QUANTITY = "BELOW_MIN_QUANTITY"
    BELOW_MIN_NOTIONAL = "BELOW_MIN_NOTIONAL"
    WITHIN_BAND = "WITHIN_BAND"
    SYMBOL_ALIASED = "SYMBOL_ALIASED"
    SLICED = "SLICED"
    NOT_ACTIVE = "NOT_ACTIVE"
    FENCED = "FENCED"
    OVER_BUDGET = "OVER_BUDGET"
    HEDGE_AT_ZERO = "HEDGE_AT_ZERO"


@dataclass(frozen=True, slots=True)
class Mark:
    """The price that a symbol is valued at, and when it was true; `value`, money of one unit, is price x multiplier."""

    price: Fraction
    multiplier: Fraction
    time: datetime
    value: Fraction = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Multiplied once: a plan values each position many times."""
        object.__setattr__(self, "value", self.price * self.multiplier)


@dataclass(frozen=True, slots=True)
class Held:
    """What a strategy holds of a symbol at a venue; the quantity is signed. `mark` None: no price is known."""

    owner: Owner
    venue: str
    symbol: str
    quantity: Fraction
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Leg:
    """The change of one position, exact and not yet rounded to lots."""

    owner: Owner
    venue: str
    symbol: str
    quantity: Fraction
    delta: Fraction
    scale: Scale
    mark: Mark
    notes: tuple[LegReason, ...] = ()

    @property
    def reduce_only(self) -> bool:
        """Whether it only takes off what is held; buying back a short does."""
        return reduces(self.quantity, self.delta)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Its place among legs."""
        return (*self.owner, self.venue, self.symbol)


def reduces(quantity: Fraction, delta: Fraction) -> bool:
    """|q + delta| <= |q| and the sign stays."""
    before, change = quantity.numerator * delta.denominator, delta.numerator * quantity.denominator  # over the same
    after = before + change
    return abs(after) <= abs(before) and after * before >= 0


def legs_of(held: Iterable[Held], scales: Scales, mode: ScaleMode) -> list[Leg]:
    """The legs of positions whose scale is not 1, by owner, venue and symbol. All positions have marks."""
    legs, by_owner = [], dict[Owner, tuple[Scale, Fraction]]()
    for each in held:
        if each.owner not in by_owner:
            scale = scales.of(each.owner, mode)
            by_owner[each.owner] = scale, scale.g - 1
        found, change = by_owner[each.owner]
        if each.quantity and change and each.mark is not None:
            delta = each.quantity * change
            legs.append(Leg(each.owner, each.venue, each.symbol, each.quantity, delta, found, each.mark))
    return sorted(legs, key=lambda leg: leg.key)


def check_marks(marks: Iterable[tuple[str, Mark | None]], now: datetime, age_max: timedelta) -> None:
    """No plan on half a book. Raises NotReady (E_MARK_MISSING, E_MARK_STALE) naming every symbol."""
    rows = list(marks)
    if missing := sorted({symbol for symbol, mark in rows if mark is None}):
        raise NotReady("E_MARK_MISSING", f"no mark of {', '.join(missing)}", hint="plan again once they have a price")
    if stale := sorted({symbol for symbol, mark in rows if mark and now - mark.time > age_max}):
        raise NotReady("E_MARK_STALE", f"marks older than {age_max} of {', '.join(stale)}", hint="plan again later")
