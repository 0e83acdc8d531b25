"""A fill as decimals, for people, statistics and doors."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.events import Fill, Liquidity, OrderEvent, fee_decimal
from brokerage.domain.orders.order import Side
from qmtl.core.errors import Conflict


@dataclass(frozen=True, slots=True)
class FillView:
    """A fill as decimals, for statistics, tables and plots. `fee` is in `fee_currency`; `booked_ns` is the close of the
    bar that made it.
    """

    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    notional: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity
    trade_id: str
    at_ns: int
    booked_ns: int


def view_fill(instrument: Instrument, side: Side, event: OrderEvent) -> FillView:
    """A FILLED event of an order in an instrument, as decimals."""
    fill = event.fill
    if fill is None:
        raise Conflict("E_NOT_A_FILL", f"event {event.seq} of order {event.order_id} is {event.kind.value}")
    return fill_view(instrument, side, fill, event.at_ns)


def fill_view(instrument: Instrument, side: Side, fill: Fill, booked_ns: int) -> FillView:
    return FillView(
        symbol=instrument.symbol,
        side=side,
        quantity=instrument.quantity_decimal(fill.quantity),
        price=instrument.price_decimal(fill.price),
        notional=instrument.money_decimal(instrument.notional(fill.price, fill.quantity)),
        fee=fee_decimal(instrument, fill),
        fee_currency=fill.fee_currency,
        liquidity=fill.liquidity,
        trade_id=fill.trade_id,
        at_ns=fill.venue_ns,
        booked_ns=booked_ns,
    )
