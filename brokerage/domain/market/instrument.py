"""Instruments and their symbol properties: tick, lot, multiplier, currencies, size and notional bounds.

Prices and quantities of an instrument are integers at its own scales; order value leaves them for the quote
currency's scale through `notional`, the one place where price times quantity is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact, InvalidOperation
from enum import Enum
from fractions import Fraction

from brokerage.domain.market.margin_tiers import NO_TIERS, MarginTiers, margin_tiers
from brokerage.domain.money import currency_scale, divide, fit, floor_to
from qmtl.core.decimals import from_scaled, to_scaled
from qmtl.core.errors import InvalidRequest

SIZE_SCALE_MAX = 8

PRICE_PLACES = 24
"""Decimal places that prices are kept at: every double from 1e-7 up is a whole number of them, so that no price of
market data is ever rounded. Prices are therefore integers without a width; amounts of money and quantities fit int64.
"""

_EXACT = Context(prec=100, traps=[InvalidOperation, Inexact])


class AssetClass(Enum):
    CRYPTO = "CRYPTO"
    EQUITY = "EQUITY"
    FOREX = "FOREX"
    FUTURE = "FUTURE"


class TriggerPrice(Enum):
    """What tests the stops of an instrument on ticks: its trades, its quotes (stops to buy by the ask, to sell by the
    bid), or the mark price of its venue. On bars it is always the bar.
    """

    LAST = "LAST"
    QUOTE = "QUOTE"
    MARK = "MARK"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable symbol. `tick`, `lot` and the bounds are scaled integers; a bound of 0 means no bound.

    `price_scale` is finer than the tick: orders are placed at ticks, market data has the digits it has. `calendar` is
    the ISO 10383 code of the exchange whose sessions end its DAY orders; empty: none is known, or it never closes.
    `margin_tiers` set its margin on accounts whose profile has no rule of its own; none: its margin is 1 / leverage. It
    trades from `listed_ns` to before `delisted_ns`, of a future its expiry; 0: that is not known, or never.
    """

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
    sector: str = ""
    calendar: str = ""
    trigger: TriggerPrice = TriggerPrice.LAST
    margin_tiers: MarginTiers = NO_TIERS
    listed_ns: int = 0
    delisted_ns: int = 0
    _up: int = field(init=False, repr=False, compare=False)
    _down: int = field(init=False, repr=False, compare=False)
    _tick_places: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.tick <= 0 or self.lot <= 0 or self.multiplier <= 0:
            raise InvalidRequest("E_INSTRUMENT_INVALID", f"{self.symbol}: tick, lot and multiplier must be positive")
        if self.delisted_ns and self.delisted_ns <= self.listed_ns:
            raise InvalidRequest("E_INSTRUMENT_INVALID", f"{self.symbol}: want delisted after it was listed")
        numerator, denominator = self.multiplier.as_integer_ratio()
        shift = currency_scale(self.quote) - self.price_scale - self.quantity_scale
        object.__setattr__(self, "_up", numerator * 10 ** max(shift, 0))
        object.__setattr__(self, "_down", denominator * 10 ** max(-shift, 0))
        object.__setattr__(self, "_tick_places", _places(Decimal(self.tick).scaleb(-self.price_scale, _EXACT)))

    @property
    def value_ratio(self) -> tuple[int, int]:
        """What `notional` multiplies price times quantity by: numerator and denominator."""
        return self._up, self._down

    @property
    def pays_profit_only(self) -> bool:
        """Whether trading it pays no principal, as of futures: cash moves by profit and fees."""
        return self.asset_class is AssetClass.FUTURE

    def withholds(self, currency: str) -> bool:
        """Whether a fee in a currency is taken from what is traded: coins are, and a contract is none of its base."""
        return currency == self.base and not self.pays_profit_only

    def notional(self, price: int, quantity: int) -> int:
        """Value of `quantity` at `price` in scaled quote currency, half to even; refuses what int64 cannot hold."""
        if not quantity:
            return 0
        return fit(divide(price * quantity * self._up, self._down), "notional")

    def price_decimal(self, price: int) -> Decimal:
        """A price as a decimal, with the places of the tick or as many more as it has."""
        value = Decimal(price).scaleb(-self.price_scale, _EXACT)
        places = max(self._tick_places, _places(value))
        return value.quantize(Decimal((0, (1,), -places)), context=_EXACT)

    def price_units(self, price: Decimal, field: str = "price") -> int:
        """A price in units of the price scale. Raises InvalidRequest (E_PRICE_SCALE) for one with more places."""
        try:
            return int(price.scaleb(self.price_scale, _EXACT).to_integral_exact(context=_EXACT))
        except (Inexact, InvalidOperation):
            want = f"at most {self.price_scale} decimal places in {self.symbol}"
            raise InvalidRequest("E_PRICE_SCALE", f"{field} is {price}, want {want}") from None

    def dust(self, quantity: int) -> int:
        """The signed part of a position that is less than a lot: no order sells it before it has grown to one."""
        return quantity - floor_to(quantity, self.lot)

    def quantity_decimal(self, quantity: int) -> Decimal:
        return from_scaled(quantity, self.quantity_scale)

    def money_decimal(self, amount: int) -> Decimal:
        return from_scaled(amount, currency_scale(self.quote))

    def price_near(self, price: Fraction, *, up: bool) -> Decimal:
        """A price between ticks, for people: rounded up or down to four places more than the tick has."""
        places = self._tick_places + 4
        units = price * 10**places / 10**self.price_scale
        return Decimal(math.ceil(units) if up else math.floor(units)).scaleb(-places, _EXACT)

    def average_price(self, cost: int, quantity: int) -> Decimal:
        """Average price behind a cost, for people: rounded to four places more than the tick has."""
        if quantity == 0:
            return Decimal(0)
        places = self._tick_places + 4
        finer = self.price_scale - places
        up, down = 10 ** max(-finer, 0), 10 ** max(finer, 0)
        return Decimal(divide(abs(cost) * self._down * up, abs(quantity) * self._up * down)).scaleb(-places, _EXACT)


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
    price_places: int = PRICE_PLACES,
    quantity_places: int = 0,
    sector: str = "",
    calendar: str = "",
    trigger: TriggerPrice = TriggerPrice.LAST,
    tiers: Iterable[tuple[str, int, str, str]] = (),
    listed_ns: int = 0,
    delisted_ns: int = 0,
) -> Instrument:
    """Build an instrument from decimal text, `tiers` as of `margin_tiers`. Prices are kept at `price_places` or at the
    places of the tick, whichever is finer, quantities at the places of the lot or at `quantity_places`: a fee in base
    is finer than a lot.
    """
    price_scale, quantity_scale = max(_places(Decimal(tick)), price_places), max(_places(Decimal(lot)), quantity_places)
    return Instrument(
        symbol=symbol,
        asset_class=asset_class,
        base=base,
        quote=quote,
        price_scale=price_scale,
        quantity_scale=quantity_scale,
        tick=int(Decimal(tick).scaleb(price_scale, _EXACT)),
        lot=to_scaled(Decimal(lot), quantity_scale),
        multiplier=Decimal(multiplier),
        quantity_min=to_scaled(Decimal(lot), quantity_scale),
        notional_min=to_scaled(Decimal(notional_min), currency_scale(quote)),
        sector=sector,
        calendar=calendar,
        trigger=trigger,
        margin_tiers=margin_tiers(quote, tiers),
        listed_ns=listed_ns,
        delisted_ns=delisted_ns,
    )


def _places(value: Decimal) -> int:
    """Decimal places without trailing zeros."""
    exponent = value.normalize(_EXACT).as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0
