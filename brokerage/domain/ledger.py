"""Accounting: the cash book and the positions of one scope, right for shorts and for flips through zero.

Every amount is an exact integer in quote currency. The identity that holds after every fill, at any mark:
cash - paid in = realised + unrealised - fees, where position value = cost + unrealised. Realised profit never
contains fees. A position's cost is signed: paid for a long, received (negative) for a short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from brokerage.domain.instrument import Instrument
from brokerage.domain.money import currency_scale, divide, fit
from brokerage.domain.orders import Fill, Side
from qmtl.core.decimals import from_scaled
from qmtl.core.errors import Conflict, NotReady


@dataclass(frozen=True, slots=True)
class Position:
    """A signed quantity with its average cost; `realised` and `fees` are totals since the first fill."""

    quantity: int = 0
    cost: int = 0
    realised: int = 0
    fees: int = 0
    fills: int = 0


FLAT = Position()


def traded(position: Position, instrument: Instrument, signed: int, price: int) -> tuple[Position, int]:
    """Trade `signed` quantity at `price` without fees: the new position and the cash that moved."""
    flow = -instrument.notional(price, signed)
    held = position.quantity
    closing = min(abs(signed), abs(held)) if held * signed < 0 else 0
    if not closing:
        return _with(position, held + signed, position.cost - flow, position.realised), flow
    close_flow = -instrument.notional(price, closing if signed > 0 else -closing)
    share = divide(position.cost * closing, abs(held))
    realised = fit(position.realised + close_flow - share, "realised profit")
    cost = position.cost - share - (flow - close_flow)
    return _with(position, held + signed, cost, realised), flow


def _with(position: Position, quantity: int, cost: int, realised: int) -> Position:
    return Position(
        fit(quantity, "position quantity"), fit(cost, "position cost"), realised, position.fees, position.fills
    )


def settled(position: Position, instrument: Instrument, side: Side, fill: Fill) -> tuple[Position, int]:
    """Book one fill with its fee: the new position and the cash that moved, in quote currency.

    A fee in base is withdrawn from what was received, valued at the fill's price, so that fees stay comparable.
    """
    after, flow = traded(position, instrument, side.sign * fill.quantity, fill.price)
    if fill.fee_currency == instrument.quote:
        fee = fill.fee
        flow -= fee
    elif fill.fee_currency == instrument.base and fill.fee:
        after, fee = traded(after, instrument, -fill.fee, fill.price)
    elif fill.fee:
        raise Conflict("FEE_CURRENCY_UNKNOWN", f"fee of {fill.trade_id} is in {fill.fee_currency}")
    else:
        fee = 0
    booked = Position(after.quantity, after.cost, after.realised, fit(after.fees + fee, "fees"), position.fills + 1)
    return booked, flow


def position_value(instrument: Instrument, position: Position, mark: int) -> int:
    """Signed value of a position at a mark, in scaled quote currency."""
    return instrument.notional(mark, position.quantity)


@dataclass(frozen=True, slots=True)
class PositionView:
    """A position for people and doors: decimals, valued at a mark."""

    symbol: str
    currency: str
    quantity: Decimal
    average_price: Decimal
    mark: Decimal
    value: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Cash and positions at given marks. `equity` is per currency: cash plus the value of positions quoted in it."""

    cash: Mapping[str, Decimal]
    positions: tuple[PositionView, ...]
    equity: Mapping[str, Decimal]


class Ledger:
    """The books of one scope: fold fills in with `book`, read positions, cash and equity out."""

    def __init__(self) -> None:
        self.cash: dict[str, int] = {}
        self.positions: dict[str, Position] = {}
        self.instruments: dict[str, Instrument] = {}

    def position(self, symbol: str) -> Position:
        return self.positions.get(symbol, FLAT)

    def restore(self, instrument: Instrument, position: Position) -> None:
        """Take over a stored position."""
        self.positions[instrument.symbol] = position
        self.instruments[instrument.symbol] = instrument

    def deposit(self, currency: str, amount: int) -> None:
        """Pay cash in (or out, negative)."""
        self.cash[currency] = fit(self.cash.get(currency, 0) + amount, f"cash in {currency}")

    def book(self, instrument: Instrument, side: Side, fill: Fill) -> None:
        """Book one fill: position, cash and fee move together or, on overflow, not at all."""
        position, flow = settled(self.position(instrument.symbol), instrument, side, fill)
        self.deposit(instrument.quote, flow)
        self.restore(instrument, position)

    def equity(self, currency: str, marks: Mapping[str, int]) -> int:
        """Cash plus the value of positions quoted in `currency`. NotReady (MARK_MISSING) if one has no mark."""
        total = self.cash.get(currency, 0)
        for symbol, position in self.positions.items():
            instrument = self.instruments[symbol]
            if position.quantity and instrument.quote == currency:
                total += position_value(instrument, position, _mark(symbol, marks))
        return fit(total, f"equity in {currency}")

    def portfolio(self, marks: Mapping[str, int]) -> Portfolio:
        """The books at marks, as decimals. NotReady (MARK_MISSING) if an open position has no mark."""
        views = tuple(
            view_position(self.instruments[symbol], position, _mark(symbol, marks) if position.quantity else 0)
            for symbol, position in sorted(self.positions.items())
        )
        return Portfolio(
            {currency: from_scaled(amount, currency_scale(currency)) for currency, amount in self.cash.items()},
            views,
            {currency: from_scaled(self.equity(currency, marks), currency_scale(currency)) for currency in self.cash},
        )


def view_position(instrument: Instrument, position: Position, mark: int) -> PositionView:
    """One position as decimals at a mark."""
    value = position_value(instrument, position, mark)
    return PositionView(
        symbol=instrument.symbol,
        currency=instrument.quote,
        quantity=instrument.quantity_decimal(position.quantity),
        average_price=instrument.average_price(position.cost, position.quantity),
        mark=instrument.price_decimal(mark),
        value=instrument.money_decimal(value),
        realised=instrument.money_decimal(position.realised),
        unrealised=instrument.money_decimal(value - position.cost),
        fees=instrument.money_decimal(position.fees),
    )


def _mark(symbol: str, marks: Mapping[str, int]) -> int:
    mark = marks.get(symbol)
    if mark is None:
        raise NotReady("MARK_MISSING", f"no price is known for the open position in {symbol}")
    return mark
