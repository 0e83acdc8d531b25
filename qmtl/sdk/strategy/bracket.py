"""Exits of a trade rule: a stop and a target at distances from the price that the strategy decided on."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation

from qmtl.core.decimals import format_decimal
from qmtl.core.errors import refused


@dataclass(frozen=True, slots=True, init=False)
class Bracket:
    """A stop and a target, as fractions of the price at the deciding bar's close: "0.02" is 2 % away. At least one.

    They are sent with the order that changes the position, wait for its fill, cover what is held then, only reduce, and
    each takes off the other. What they close stays closed until the target changes.
    """

    stop: Decimal | None
    target: Decimal | None

    def __init__(self, *, stop: str | Decimal = "", target: str | Decimal = "") -> None:
        """Raises InvalidRequest (E_BRACKET)."""
        if stop == "" and target == "":
            raise refused("E_BRACKET", "bracket", "neither", "a stop, a target or both")
        object.__setattr__(self, "stop", _fraction("stop", stop, below_one=True))
        object.__setattr__(self, "target", _fraction("target", target, below_one=False))

    @property
    def params(self) -> dict[str, str]:
        """The distances as parameters of a node; an absent one is empty."""
        texts = {"stop": self.stop, "target": self.target}
        return {name: "" if value is None else format_decimal(value) for name, value in texts.items()}

    def prices(self, price: Decimal, *, long: bool, tick: Decimal) -> tuple[Decimal | None, Decimal | None]:
        """Stop and target of a position, to the tick, away from the market; none where that comes to 0 or less."""
        way = 1 if long else -1
        stop = None if self.stop is None else to_tick(price * (1 - way * self.stop), tick, up=not long)
        target = None if self.target is None else to_tick(price * (1 + way * self.target), tick, up=long)
        return stop if stop and stop > 0 else None, target if target and target > 0 else None


def to_tick(price: Decimal, tick: Decimal, *, up: bool) -> Decimal:
    """A multiple of the tick, rounded one way."""
    return (price / tick).to_integral_value(rounding=ROUND_CEILING if up else ROUND_FLOOR) * tick


def _fraction(name: str, given: str | Decimal, *, below_one: bool) -> Decimal | None:
    if given == "":
        return None
    try:
        value = Decimal(given)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value <= 0 or (below_one and value >= 1):
        want = "a fraction between 0 and 1, such as 0.02" if below_one else "a fraction above 0, such as 0.05"
        raise refused("E_BRACKET", f"bracket.{name}", str(given), want)
    return value
