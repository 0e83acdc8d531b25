"""Positions and portfolios as decimals at given marks, for people and contracts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from brokerage.domain.accounts.position import Position, position_value
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import Mark


@dataclass(frozen=True, slots=True)
class PositionView:
    """A position for people and doors: decimals, valued at a mark. `ended_ns`: from when its symbol trades no more, and
    it cannot be closed; 0: it does. `liquidation`: the price at which its account is closed by force; None: not
    defined.
    """

    symbol: str
    currency: str
    quantity: Decimal
    average_price: Decimal
    mark: Decimal
    marked_ns: int
    value: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    ended_ns: int = 0
    liquidation: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Cash and positions at given marks. `equity` is per currency: cash plus the value of positions quoted in it."""

    cash: Mapping[str, Decimal]
    positions: tuple[PositionView, ...]
    equity: Mapping[str, Decimal]


def view_position(instrument: Instrument, position: Position, mark: Mark | None) -> PositionView:
    """One position as decimals at a mark; without one its value is 0."""
    price, at_ns = (mark.price, mark.at_ns) if mark is not None else (0, 0)
    value = position_value(instrument, position, price)
    return PositionView(
        symbol=instrument.symbol,
        currency=instrument.quote,
        quantity=instrument.quantity_decimal(position.quantity),
        average_price=instrument.average_price(position.cost, position.quantity),
        mark=instrument.price_decimal(price),
        marked_ns=at_ns,
        value=instrument.money_decimal(value),
        realised=instrument.money_decimal(position.realised),
        unrealised=instrument.money_decimal(value - position.cost),
        fees=instrument.money_decimal(position.fees),
    )
