"""Rules on one order by itself: type, trading state, bounds, prices, notional."""

from __future__ import annotations

from brokerage.domain.accounts.account import TradingState
from brokerage.domain.market.instrument import AssetClass, Instrument
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Side, SizedOrder
from brokerage.domain.orders.states import OrderType, TimeInForce
from brokerage.domain.orders.venue_traits import MATCHED_TIFS, MATCHED_TYPES
from brokerage.domain.risk.context import RiskContext, held_in, increases, reach_in, reference_price
from qmtl.core.decimals import INT64_MAX
from qmtl.core.errors import InvalidRequest

PRICE_SANE_FACTOR = 10


def supported(
    order: Order, sized: SizedOrder, instrument: Instrument, profile: BrokerageProfile, now: RiskContext
) -> Denial | None:
    if order.type not in MATCHED_TYPES:
        return Denial.ORDER_TYPE_UNSUPPORTED
    if order.tif not in MATCHED_TIFS:
        return Denial.TIME_IN_FORCE_UNSUPPORTED
    if order.tif is TimeInForce.DAY and instrument.asset_class is not AssetClass.CRYPTO:
        return Denial.TIME_IN_FORCE_UNSUPPORTED  # the close of other sessions needs calendars
    return None


def trading_state(
    order: Order, sized: SizedOrder, instrument: Instrument, profile: BrokerageProfile, now: RiskContext
) -> Denial | None:
    if now.trading is TradingState.HALTED:
        return Denial.TRADING_HALTED
    if now.trading is TradingState.REDUCING and increases(order.side, reach_in(order, sized, now), held_in(now)):
        return Denial.TRADING_REDUCING
    return None


def reduce_only(
    order: Order, sized: SizedOrder, instrument: Instrument, profile: BrokerageProfile, now: RiskContext
) -> Denial | None:
    if order.reduce_only and increases(order.side, sized.quantity, held_in(now)):
        return Denial.REDUCE_ONLY_INCREASES
    return None


def bounds(
    order: Order, sized: SizedOrder, instrument: Instrument, profile: BrokerageProfile, now: RiskContext
) -> Denial | None:
    if sized.quantity < instrument.quantity_min:
        return Denial.QUANTITY_BELOW_MINIMUM
    if instrument.quantity_max and sized.quantity > instrument.quantity_max:
        return Denial.QUANTITY_ABOVE_MAXIMUM
    if now.open_orders >= profile.limits.open_orders_max:
        return Denial.OPEN_ORDERS_ABOVE_LIMIT
    if order.tif is TimeInForce.GTD and (order.expire_at_ns is None or order.expire_at_ns <= now.at_ns):
        return Denial.EXPIRED_ON_ARRIVAL
    return None


def price_known(
    order: Order, sized: SizedOrder, instrument: Instrument, profile: BrokerageProfile, now: RiskContext
) -> Denial | None:
    if now.mark is None:
        return Denial.PRICE_STALE
    if now.at_ns - now.mark.at_ns > max(profile.limits.price_age_max_ns, now.mark.bar_ns):
        return Denial.PRICE_STALE
    for price in (sized.limit, sized.stop):
        if (
            price is not None
            and not now.mark.price <= price * PRICE_SANE_FACTOR <= now.mark.price * PRICE_SANE_FACTOR**2
        ):
            return Denial.PRICE_INSANE
    return None


def post_only(
    order: Order, sized: SizedOrder, instrument: Instrument, profile: BrokerageProfile, now: RiskContext
) -> Denial | None:
    if not order.post_only:
        return None
    if order.type is not OrderType.LIMIT or sized.limit is None or now.mark is None:
        return Denial.POST_ONLY_CROSSES
    crosses = sized.limit >= now.mark.price if order.side is Side.BUY else sized.limit <= now.mark.price
    return Denial.POST_ONLY_CROSSES if crosses else None


def notional(
    order: Order, sized: SizedOrder, instrument: Instrument, profile: BrokerageProfile, now: RiskContext
) -> Denial | None:
    """Bounds of one order: at its worst price from above, and from below at its own, by which a venue judges it."""
    notional, house_max = (
        _worth(instrument, reference_price(sized, now), sized.quantity),
        profile.limits.order_notional_max,
    )
    if notional > INT64_MAX or (instrument.notional_max and notional > instrument.notional_max):
        return Denial.NOTIONAL_ABOVE_LIMIT
    if house_max and notional > house_max and increases(order.side, reach_in(order, sized, now), held_in(now)):
        return Denial.NOTIONAL_ABOVE_LIMIT
    return _minimum(order, sized, instrument, now) if instrument.notional_min else None


def _minimum(order: Order, sized: SizedOrder, instrument: Instrument, now: RiskContext) -> Denial | None:
    own = instrument.notional(sized.limit or sized.stop or reference_price(sized, now), sized.quantity)
    small = own < instrument.notional_min and increases(order.side, sized.quantity, held_in(now))
    return Denial.NOTIONAL_BELOW_MINIMUM if small else None


def _worth(instrument: Instrument, price: int, quantity: int) -> int:
    try:
        return instrument.notional(price, quantity)
    except InvalidRequest:
        return INT64_MAX + 1
