"""Positions: average cost and realised profit, right for shorts and for flips through zero."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import divide, fit
from brokerage.domain.orders.events import Fill
from brokerage.domain.orders.order import Side
from qmtl.core.errors import Conflict
from qmtl.core.fast_init import fast_init


@fast_init
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
    """Trade `signed` quantity at `price` without fees: the new position and the cash that moved, the principal or, of
    what pays none, the profit that was realised.
    """
    after, flow = _exchanged(position, instrument, signed, price)
    return after, after.realised - position.realised if instrument.pays_profit_only else flow


def paid_to_market(position: Position, profit: int) -> Position:
    """A position after its open profit was paid in cash: it is realised, and the cost is the value then."""
    realised = fit(position.realised + profit, "realised profit")
    return Position(position.quantity, position.cost + profit, realised, position.fees, position.fills)


def received(position: Position, quantity: int, cost: int) -> Position:
    """A position after shares came in at a signed cost without a trade, as of a merger. Shares of the other sign close
    what is held, each part at its cost; realised profit less cost moves by -cost in both cases.
    """
    held = position.quantity
    closing = min(abs(quantity), abs(held)) if held * quantity < 0 else 0
    if not closing:
        return _with(position, held + quantity, position.cost + cost, position.realised)
    ended = divide(cost * closing, abs(quantity)) + divide(position.cost * closing, abs(held))
    realised = fit(position.realised - ended, "realised profit")
    return _with(position, held + quantity, position.cost + cost - ended, realised)


def _exchanged(position: Position, instrument: Instrument, signed: int, price: int) -> tuple[Position, int]:
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
    elif instrument.withholds(fill.fee_currency) and fill.fee:
        after, fee = traded(after, instrument, -fill.fee, fill.price)
    elif fill.fee:
        raise Conflict("E_FEE_CURRENCY_UNKNOWN", f"fee of {fill.trade_id} is in {fill.fee_currency}")
    else:
        fee = 0
    booked = Position(after.quantity, after.cost, after.realised, fit(after.fees + fee, "fees"), position.fills + 1)
    return booked, flow


def summed(one: Position, other: Position) -> Position:
    """Two owners' positions in one instrument, netted."""
    return Position(
        one.quantity + other.quantity,
        one.cost + other.cost,
        one.realised + other.realised,
        one.fees + other.fees,
        one.fills + other.fills,
    )


def position_value(instrument: Instrument, position: Position, mark: int) -> int:
    """Signed value of a position at a mark, in scaled quote currency."""
    return instrument.notional(mark, position.quantity)


def position_worth(instrument: Instrument, position: Position, mark: int) -> int:
    """What a position adds to equity beside cash: its value, or its open profit where no principal was paid."""
    value = instrument.notional(mark, position.quantity)
    return value - position.cost if instrument.pays_profit_only else value
