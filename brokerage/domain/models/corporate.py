"""What companies do to their shares, and what that makes of a position and of the prices of open orders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from math import ceil, floor

from brokerage.domain.accounts.position import Position
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import divide, fit
from brokerage.domain.orders.order import Side
from qmtl.core.instants import from_ns, timestamp_text


@dataclass(frozen=True, slots=True)
class Split:
    """From an instant on there are `ratio` new shares for each old one: 4, or 1/10 for a reverse split."""

    symbol: str
    at_ns: int
    ratio: Fraction


@dataclass(frozen=True, slots=True)
class Dividend:
    """Cash a share, in quote currency, for who holds it (a short pays) at an instant, the ex-date's open."""

    symbol: str
    at_ns: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ShareExchange:
    """From an instant on an old share is `ratio` shares of `into` and `cash` in quote currency, and trades no more.

    A change of symbol is a ratio of 1 without cash, a merger any other; a purchase for cash alone is a ratio of 0 into
    "".
    """

    symbol: str
    at_ns: int
    into: str
    ratio: Fraction
    cash: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Delisting:
    """From an instant on a symbol trades no more. What is held is paid out at `price`; None: it is kept, at the last
    price there was, and cannot be traded.
    """

    symbol: str
    at_ns: int
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Expiry:
    """From an instant on a contract trades no more. What is held is settled in cash at the last price there was."""

    symbol: str
    at_ns: int


CorporateAction = Split | Dividend | ShareExchange | Delisting | Expiry
Ending = ShareExchange | Delisting | Expiry
"""What a symbol does not outlive."""


def ending_of(instrument: Instrument) -> Ending | None:
    """How an instrument ends by itself: a contract is settled, all else is kept. None: it does not, or not known."""
    if not instrument.delisted_ns:
        return None
    ends = Expiry if instrument.pays_profit_only else Delisting
    return ends(instrument.symbol, instrument.delisted_ns)


class PriceAdjustment(Enum):
    """What was done to prices for splits and dividends."""

    RAW = "RAW"
    SPLIT = "SPLIT"
    TOTAL_RETURN = "TOTAL_RETURN"


def beside_prices(
    actions: Iterable[CorporateAction], adjustment: PriceAdjustment, instrument: Instrument
) -> list[CorporateAction]:
    """Of all actions in an instrument until its last price, in order, those that its prices have not in them.

    All, of prices as they were traded. Of prices that are adjusted for splits no split, and a dividend is what it is
    for the shares of the last price: divided by the ratios of the later splits, half to even at the price scale. Where
    dividends are taken out of the prices too, endings only.
    """
    known = sorted(actions, key=lambda one: one.at_ns)
    if adjustment is PriceAdjustment.RAW:
        return known
    left, shares = list[CorporateAction](), Fraction(1)
    for one in reversed(known):
        if isinstance(one, Split):
            shares *= one.ratio
        elif isinstance(one, Dividend) and adjustment is PriceAdjustment.SPLIT:
            left.append(replace(one, amount=_per_new_share(one.amount, shares, instrument)))
        elif isinstance(one, Ending):
            left.append(one)
    return left[::-1]


def _per_new_share(amount: Decimal, shares: Fraction, instrument: Instrument) -> Decimal:
    units = instrument.price_units(amount, "dividend")
    return amount if shares == 1 else instrument.price_decimal(divide(units * shares.denominator, shares.numerator))


def action_text(action: CorporateAction) -> str:
    """What an action is and when, for a line of people's."""
    match action:
        case Split():
            what = f"split {action.ratio}"
        case Dividend():
            what = f"dividend {action.amount:f}"
        case Delisting():
            what = "delisting, kept" if action.price is None else f"delisting at {action.price:f}"
        case ShareExchange():
            what = f"exchange for {action.ratio} {action.into}" if action.into else "exchange for cash"
        case Expiry():
            what = "expiry"
    return f"{action.symbol} {what} at {timestamp_text(from_ns(action.at_ns))}"


@dataclass(frozen=True, slots=True)
class SplitResult:
    """A position after a split, and the cash for the part of a lot that is left (negative: paid by a short)."""

    position: Position
    cash: int


def split(position: Position, instrument: Instrument, ratio: Fraction, price: int) -> SplitResult:
    """`ratio` new shares for each old one: 4 for a 4:1 split, 1/10 for a reverse split of 1:10.

    quantity x ratio is cut to whole lots toward zero; the rest is paid in cash at `price`, the first price after the
    split. The rest takes its share of the cost with it, so equity at that price is what it was. Source: Lean.
    """
    exact = position.quantity * ratio
    lots = Fraction(abs(exact), instrument.lot)
    size = floor(lots) * instrument.lot
    quantity = size if exact > 0 else -size
    rest = exact - quantity
    cash = _value(instrument, price, rest)
    left = divide(position.cost * abs(quantity) * exact.denominator, abs(exact.numerator)) if exact else 0
    realised = position.realised + cash - (position.cost - left)
    moved = Position(
        fit(quantity, "position quantity"), left, fit(realised, "realised profit"), position.fees, position.fills
    )
    return SplitResult(moved, cash)


@dataclass(frozen=True, slots=True)
class Conversion:
    """What an old share becomes: `ratio` of `into` (None: of nothing), and `per_share` at the price scale of the old.

    `price` is the first of `into` after it, at its price scale, at which a part of a lot is paid out.
    """

    into: Instrument | None
    ratio: Fraction
    per_share: int
    price: int = 0


@dataclass(frozen=True, slots=True)
class Converted:
    """A position after a conversion, which is flat; the new shares with their cost, and the cash (negative: paid by a
    short). `kept` is the share of the old cost that went into the new shares.
    """

    position: Position
    quantity: int
    cost: int
    cash: int
    kept: Fraction


def convert(position: Position, instrument: Instrument, terms: Conversion) -> Converted:
    """Give old shares for new ones and cash.

    quantity x ratio is cut to whole lots of the new shares toward zero and the rest is paid in cash. Cost is shared by
    what the two are worth: the new shares at `price`, the cash as it is; without cash all of it goes with the shares.
    What the cash earned beyond its cost is realised, so profit at that price is the same before and after. A contract
    is settled for nothing but its profit.
    """
    quantity, rest = 0, Fraction(0)
    if terms.into is not None:
        scales = Fraction(10) ** (terms.into.quantity_scale - instrument.quantity_scale)
        exact = position.quantity * terms.ratio * scales
        size = floor(abs(exact) / terms.into.lot) * terms.into.lot
        quantity = fit(size if exact > 0 else -size, "position quantity")
        rest = exact - quantity
    cash = instrument.notional(terms.per_share, position.quantity)
    kept = Fraction(0)
    if terms.into is not None:
        cash += _value(terms.into, terms.price, rest)
        kept = cost_kept(terms.into, terms.price, quantity, cash)
    cost = divide(position.cost * kept.numerator, kept.denominator)
    realised = fit(position.realised + cash - (position.cost - cost), "realised profit")
    if instrument.pays_profit_only:
        cash -= position.cost
    return Converted(Position(0, 0, realised, position.fees, position.fills), quantity, cost, fit(cash, "cash"), kept)


def cost_kept(into: Instrument, price: int, quantity: int, cash: int) -> Fraction:
    """The share of the old cost that goes with so many new shares at a price, where cash was paid beside them."""
    worth = abs(into.notional(price, quantity))
    return Fraction(worth, worth + abs(cash)) if cash else Fraction(bool(quantity))


def _value(instrument: Instrument, price: int, quantity: Fraction) -> int:
    """The value of a part of a lot, half to even."""
    return divide(instrument.notional(price, quantity.numerator), quantity.denominator)


def split_price(price: int, instrument: Instrument, ratio: Fraction, side: Side) -> int:
    """The price of an open order after a split: price / ratio, to a tick toward less aggressive, at least one tick."""
    ticks = Fraction(price, instrument.tick) / ratio
    return max(floor(ticks) if side is Side.BUY else ceil(ticks), 1) * instrument.tick


def split_quantity(quantity: int, instrument: Instrument, ratio: Fraction) -> int:
    """The quantity of an open order after a split, cut to whole lots; 0: it is to be cancelled."""
    return floor(quantity * ratio / instrument.lot) * instrument.lot


def dividend(instrument: Instrument, quantity: int, distribution: int) -> int:
    """Cash of a dividend: quantity x distribution a share (at the price scale). A short pays it. Source: Lean."""
    return instrument.notional(distribution, quantity)
