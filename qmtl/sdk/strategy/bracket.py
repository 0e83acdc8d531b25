"""Exits of a trade rule at distances from the price that it was decided on, and the limit it is entered by."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation

from qmtl.core.decimals import format_decimal
from qmtl.core.errors import refused


@dataclass(frozen=True, slots=True, init=False)
class Bracket:
    """A stop, a target and a trailing stop, as fractions of a price: "0.02" is 2 % away. At least one.

    The price is the deciding bar's close, or the limit of an entry by a limit order. A trailing stop follows the best
    price since it was sent and never goes back. They are sent with the order that changes the position, wait for its
    fill, cover what is held then, only reduce, and each takes off the others. What they close stays closed until the
    target changes.
    """

    stop: Decimal | None
    target: Decimal | None
    trailing: Decimal | None

    def __init__(self, *, stop: str | Decimal = "", target: str | Decimal = "", trailing: str | Decimal = "") -> None:
        """Raises InvalidRequest (E_BRACKET)."""
        if stop == "" and target == "" and trailing == "":
            raise refused("E_BRACKET", "bracket", "none of them", "a stop, a target or a trailing stop")
        object.__setattr__(self, "stop", _fraction("bracket.stop", stop, below_one=True))
        object.__setattr__(self, "target", _fraction("bracket.target", target, below_one=False))
        object.__setattr__(self, "trailing", _fraction("bracket.trailing", trailing, below_one=True))

    @property
    def params(self) -> dict[str, str]:
        """The distances as parameters of a node; an absent one is empty."""
        texts = {"stop": self.stop, "target": self.target, "trailing": self.trailing}
        return {name: "" if value is None else format_decimal(value) for name, value in texts.items()}

    def prices(self, price: Decimal, *, long: bool, tick: Decimal) -> tuple[Decimal | None, Decimal | None]:
        """Stop and target of a position, to the tick, away from the market; none where that comes to 0 or less."""
        way = 1 if long else -1
        stop = None if self.stop is None else to_tick(price * (1 - way * self.stop), tick, up=not long)
        target = None if self.target is None else to_tick(price * (1 + way * self.target), tick, up=long)
        return stop if stop and stop > 0 else None, target if target and target > 0 else None


@dataclass(frozen=True, slots=True, init=False)
class Limit:
    """Enter by a limit order: a purchase so far below the deciding close, a sale so far above it.

    `offset` is a fraction of that close, from 0 (at the close) to below 1. The order rests until it is filled or the
    target changes. What closes or reduces a position goes at the market.
    """

    offset: Decimal

    def __init__(self, *, offset: str | Decimal = "0") -> None:
        """Raises InvalidRequest (E_BRACKET)."""
        value = _decimal("order.offset", offset)
        if not value.is_finite() or not 0 <= value < 1:
            raise refused("E_BRACKET", "order.offset", repr(offset), "a fraction from 0 to below 1, such as 0.001")
        object.__setattr__(self, "offset", value)

    @property
    def params(self) -> dict[str, str]:
        """The offset as a parameter of a node."""
        return {"limit_offset": format_decimal(self.offset)}

    def price(self, close: Decimal, *, buys: bool, tick: Decimal) -> Decimal | None:
        """The limit at a close, to the tick, away from the market; none where that comes to 0 or less."""
        found = to_tick(close * (1 - self.offset if buys else 1 + self.offset), tick, up=not buys)
        return found if found > 0 else None


def to_tick(price: Decimal, tick: Decimal, *, up: bool) -> Decimal:
    """A multiple of the tick, rounded one way."""
    return (price / tick).to_integral_value(rounding=ROUND_CEILING if up else ROUND_FLOOR) * tick


def _decimal(field: str, given: str | Decimal) -> Decimal:
    """NaN for what is none. Raises InvalidRequest (E_BRACKET) for a float, which is another number than it shows."""
    if isinstance(given, float):
        raise refused("E_BRACKET", field, repr(given), f'decimal text, "{given!r}"')
    try:
        return Decimal(given)
    except InvalidOperation:
        return Decimal("NaN")


def _fraction(field: str, given: str | Decimal, *, below_one: bool) -> Decimal | None:
    if given == "":
        return None
    value = _decimal(field, given)
    if not value.is_finite() or value <= 0 or (below_one and value >= 1):
        want = "a fraction between 0 and 1, such as 0.02" if below_one else "a fraction above 0, such as 0.05"
        raise refused("E_BRACKET", field, str(given), want)
    return value
