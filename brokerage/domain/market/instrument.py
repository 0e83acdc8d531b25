"""Instruments and their symbol properties: tick, lot, multiplier, currencies, size and notional bounds.

Prices and quantities of an instrument are integers at its own scales; order value leaves them for the quote
currency's scale through `notional`, the one place where price times quantity is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from brokerage.domain.money import currency_scale, divide, fit
from qmtl.core.decimals import from_scaled, to_scaled
from qmtl.core.errors import InvalidRequest

SIZE_SCALE_MAX = 8


class AssetClass(Enum):
    CRYPTO = "CRYPTO"
    EQUITY = "EQUITY"
    FOREX = "FOREX"
    FUTURE = "FUTURE"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable symbol. `tick`, `lot` and the bounds are scaled integers; a bound of 0 means no bound."""

    symbol: str
    asset_class: AssetClass
    base: str
    quote: str
    price_scale: int
    quantity_scale: int
    tick: int
    lot: int
    multiplier: Decimal = Decimal(1)
    quantity_min: int = 0
    quantity_max: int = 0
    notional_min: int = 0
    notional_max: int = 0
    _up: int = field(init=False, repr=False, compare=False)
    _down: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.tick <= 0 or self.lot <= 0 or self.multiplier <= 0:
            raise InvalidRequest("E_INSTRUMENT_INVALID", f"{self.symbol}: tick, lot and multiplier must be positive")
        numerator, denominator = self.multiplier.as_integer_ratio()
        shift = currency_scale(self.quote) - self.price_scale - self.quantity_scale
        object.__setattr__(self, "_up", numerator * 10 ** max(shift, 0))
        object.__setattr__(self, "_down", denominator * 10 ** max(-shift, 0))

    def notional(self, price: int, quantity: int) -> int:
        """Value of `quantity` at `price` in scaled quote currency, half to even; refuses what int64 cannot hold."""
        return fit(divide(price * quantity * self._up, self._down), "notional")

    def price_decimal(self, price: int) -> Decimal:
        return from_scaled(price, self.price_scale)

    def quantity_decimal(self, quantity: int) -> Decimal:
        return from_scaled(quantity, self.quantity_scale)

    def money_decimal(self, amount: int) -> Decimal:
        return from_scaled(amount, currency_scale(self.quote))

    def average_price(self, cost: int, quantity: int) -> Decimal:
        """Average price behind a cost, for people: rounded to four places more than the price scale."""
        if quantity == 0:
            return Decimal(0)
        extra = 4
        scaled = divide(abs(cost) * self._down * 10**extra, abs(quantity) * self._up)
        return Decimal(scaled).scaleb(-(self.price_scale + extra))


def instrument(
    symbol: str,
    *,
    base: str,
    quote: str,
    tick: str = "0.01",
    lot: str = "1",
    asset_class: AssetClass = AssetClass.EQUITY,
    multiplier: str = "1",
    notional_min: str = "0",
) -> Instrument:
    """Build an instrument from decimal text; the scales are the places of its tick and its lot."""
    price_scale, quantity_scale = _places(tick), _places(lot)
    return Instrument(
        symbol=symbol,
        asset_class=asset_class,
        base=base,
        quote=quote,
        price_scale=price_scale,
        quantity_scale=quantity_scale,
        tick=to_scaled(Decimal(tick), price_scale),
        lot=to_scaled(Decimal(lot), quantity_scale),
        multiplier=Decimal(multiplier),
        quantity_min=to_scaled(Decimal(lot), quantity_scale),
        notional_min=to_scaled(Decimal(notional_min), currency_scale(quote)),
    )


def _places(text: str) -> int:
    exponent = Decimal(text).as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0
