"""Brings an order to the instrument's scales and the gate's weight, or says which rule its numbers break."""

from __future__ import annotations

from decimal import Decimal

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.models.day_orders import order_ends_ns
from brokerage.domain.models.fills.trailing import limit_after_trigger, limit_offset_of, stop_behind, trail_of
from brokerage.domain.money import RATE_ONE, RATE_SCALE, floor_to
from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.order import TRAILING, Order, Side, SizedOrder
from brokerage.domain.orders.states import OrderType, TimeInForce
from brokerage.domain.risk.context import RiskContext
from qmtl.core.decimals import INT64_MAX, format_decimal, from_scaled, to_scaled
from qmtl.core.errors import InvalidRequest


def size(order: Order, now: RiskContext) -> SizedOrder | Refusal:
    """Bring an order to the instrument's scales and the gate's weight, or say which rule its numbers break."""
    instrument = now.instrument
    quantity = _scaled(order.quantity, instrument.quantity_scale)
    if quantity is None:
        return _uncounted(order, instrument)
    if quantity % instrument.lot:
        written, lot = (format_decimal(one) for one in (order.quantity, instrument.quantity_decimal(instrument.lot)))
        return Refusal(Denial.LOT, f"quantity {written} is no multiple of {lot}, the lot of {order.symbol}")
    prices: list[int | None] = []
    for name, price in (("limit_price", order.limit_price), ("stop_price", order.stop_price)):
        scaled = _price(name, price, instrument)
        if isinstance(scaled, Refusal):
            return scaled
        prices.append(scaled)
    weighted = _weighted(order, quantity, now)
    if weighted is None:
        return _imprecise("position_target", str(order.position_target), instrument, instrument.quantity_scale)
    weighted = floor_to(weighted, instrument.lot)  # what is held may be odd: fees are taken in coins
    if not weighted:
        written, share = (format_decimal(one) for one in (order.quantity, from_scaled(now.weight, RATE_SCALE)))
        return Refusal(Denial.SCALED_TO_ZERO, f"quantity {written} at weight {share} is less than one lot")
    ends = _expiry(order, now)
    if isinstance(ends, Refusal):
        return ends
    limit, stop = _trailed(order, now) if order.type in TRAILING else prices
    worst = _worst(order.side, limit, stop, now.mark)
    return SizedOrder(weighted, None if order.type in TRAILING else limit, stop, ends, worst)


def _trailed(order: Order, now: RiskContext) -> tuple[int | None, int | None]:
    """The limit that a trailing order may come to trade at, and its stop behind the last price; none without one."""
    if now.mark is None:
        return None, None
    stop = stop_behind(order.side, now.mark.price, trail_of(order), now.instrument)
    if order.type is not OrderType.TRAILING_STOP_LIMIT:
        return None, stop
    return limit_after_trigger(order.side, stop, limit_offset_of(order), now.instrument), stop


def _weighted(order: Order, quantity: int, now: RiskContext) -> int | None:
    """What the gate's weight leaves of an order; None for a position target that the lot's scale cannot hold."""
    lot, left = now.instrument.lot, _left_to_reduce(order, now)
    if order.position_target is None:
        return weigh(quantity, order.side, left, now.weight, lot)
    target = _scaled(order.position_target, now.instrument.quantity_scale)
    if target is None:
        return None
    after_others = now.held * order.side.sign + now.totals(order.side).quantity
    return bound(quantity, order.side, left, after_others, share_of(target, now.weight, lot))


def share_of(target: int, weight: int, lot: int) -> int:
    """A share of a signed target, toward zero to the lot."""
    most = floor_to(abs(target) * weight // RATE_ONE, lot)
    return most if target > 0 else -most


def bound(quantity: int, side: Side, held: int, after_others: int, most: int) -> int:
    """Cut the part of an order that adds risk so that the position ends at `most` or short of it; never the rest.

    `after_others` is the position on the order's side once all that works there is filled, `most` the signed position
    that the weight allows.
    """
    reducing = min(quantity, abs(held)) if held * side.sign < 0 else 0
    room = max(most * side.sign, 0) - max(after_others + reducing, 0)
    return reducing + min(quantity - reducing, max(room, 0))


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
    return -order.side.sign * max(abs(held) - now.totals(order.side).quantity, 0)


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


def _price(name: str, price: Decimal | None, instrument: Instrument) -> int | Refusal | None:
    if price is None:
        return None
    written = format_decimal(price)
    if price <= 0:
        return Refusal(Denial.PRICE_INSANE, f"{name} is {written}, want more than 0")
    try:
        scaled = instrument.price_units(price, name)
    except InvalidRequest:
        return _imprecise(name, written, instrument, instrument.price_scale)
    if scaled % instrument.tick:
        tick = format_decimal(instrument.price_decimal(instrument.tick))
        return Refusal(Denial.TICK, f"{name} {written} is no multiple of {tick}, the tick of {instrument.symbol}")
    return scaled


def _uncounted(order: Order, instrument: Instrument) -> Refusal:
    """Why a quantity is no number of units that can be counted: it is too large, or finer than they are."""
    written = format_decimal(order.quantity)
    if order.quantity.scaleb(instrument.quantity_scale) > INT64_MAX:
        most = format_decimal(instrument.quantity_decimal(INT64_MAX))
        return Refusal(Denial.QUANTITY_ABOVE_MAXIMUM, f"quantity {written} of {order.symbol} is above {most}")
    return _imprecise("quantity", written, instrument, instrument.quantity_scale)


def _imprecise(name: str, written: str, instrument: Instrument, places: int) -> Refusal:
    message = f"{name} {written} does not fit the {places} decimal places of {instrument.symbol}"
    return Refusal(Denial.PRECISION, message)


def _expiry(order: Order, now: RiskContext) -> int | Refusal | None:
    """When the order ends by itself: GTD at its own time, DAY and auctions with their session."""
    if order.tif is TimeInForce.GTC:
        return None
    if order.tif is TimeInForce.GTD:
        return order.expire_at_ns
    try:
        return order_ends_ns(order.tif, now.instrument, now.at_ns)
    except InvalidRequest as error:
        return Refusal(Denial.TIME_IN_FORCE_UNSUPPORTED, f"{order.tif.value} orders in {order.symbol}: {error}")
