"""Brings an order to the instrument's scales and the gate's weight, or says which rule its numbers break."""

from __future__ import annotations

from decimal import Decimal

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.money import RATE_ONE, floor_to
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Side, SizedOrder
from brokerage.domain.orders.states import TimeInForce
from brokerage.domain.risk.context import RiskContext, totals_in
from brokerage.domain.risk.pacing import SECOND_NS
from qmtl.core.decimals import INT64_MAX, to_scaled
from qmtl.core.errors import InvalidRequest

DAY_NS = 86_400 * SECOND_NS


def size(order: Order, instrument: Instrument, now: RiskContext) -> SizedOrder | Denial:
    """Bring an order to the instrument's scales and the gate's weight, or say which rule its numbers break."""
    if order.quantity.scaleb(instrument.quantity_scale) > INT64_MAX:
        return Denial.QUANTITY_ABOVE_MAXIMUM
    quantity = _scaled(order.quantity, instrument.quantity_scale)
    if quantity is None:
        return Denial.PRECISION
    if quantity % instrument.lot:
        return Denial.LOT
    prices: list[int | None] = []
    for price in (order.limit_price, order.stop_price):
        scaled = _price(price, instrument)
        if isinstance(scaled, Denial):
            return scaled
        prices.append(scaled)
    weighted = weigh(quantity, order.side, _left_to_reduce(order, now), now.weight, instrument.lot)
    if not weighted:
        return Denial.SCALED_TO_ZERO
    limit, stop = prices
    return SizedOrder(weighted, limit, stop, _expiry(order, now.at_ns), _worst(order.side, limit, stop, now.mark))


def weigh(quantity: int, side: Side, held: int, weight: int, lot: int) -> int:
    """Scale by the gate's weight, toward zero to the lot, the part of an order that adds risk; never the rest."""
    reducing = min(quantity, abs(held)) if held * side.sign < 0 else 0
    return reducing + floor_to((quantity - reducing) * weight // RATE_ONE, lot)


def _left_to_reduce(order: Order, now: RiskContext) -> int:
    """The position an order may reduce unscaled: what orders that work on its side would take off is not counted twice.

    A reduce-only order cannot turn a position round, so it may count on the whole of it.
    """
    held = now.position.quantity
    if order.reduce_only or held * order.side.sign >= 0:
        return held
    return -order.side.sign * max(abs(held) - totals_in(order.side, now).quantity, 0)


def _worst(side: Side, limit: int | None, stop: int | None, mark: Mark | None) -> int:
    """The worst price an order can trade at, by what is known when it is taken; 0 if that is the mark as it moves.

    Only a buy's limit binds: a sale is worth more the better its price, a stop that is touched already trades at the
    market.
    """
    price = limit or stop or 0
    if not price or mark is None or (limit and side is Side.BUY):
        return price
    return max(price, mark.price)


def _scaled(value: Decimal, scale: int) -> int | None:
    try:
        return to_scaled(value, scale)
    except InvalidRequest:
        return None


def _price(price: Decimal | None, instrument: Instrument) -> int | Denial | None:
    if price is None:
        return None
    if price <= 0:
        return Denial.PRICE_INSANE
    scaled = _scaled(price, instrument.price_scale)
    if scaled is None:
        return Denial.PRECISION  # also a price too large for int64
    return Denial.TICK if scaled % instrument.tick else scaled


def _expiry(order: Order, at_ns: int) -> int | None:
    """When the order ends by itself: GTD at its own time, DAY at the next UTC midnight (crypto only)."""
    if order.tif is TimeInForce.DAY:
        return (at_ns // DAY_NS + 1) * DAY_NS
    return order.expire_at_ns if order.tif is TimeInForce.GTD else None
