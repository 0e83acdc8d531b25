"""Rules on one order by itself: type, trading state, bounds, prices, notional. Each answers a refusal or None."""

from __future__ import annotations

from brokerage.domain.accounts.account import TradingState
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.order import Order, Side, SizedOrder
from brokerage.domain.orders.states import AUCTIONS, OrderType, TimeInForce
from brokerage.domain.risk.context import RiskContext, increases
from qmtl.core.decimals import INT64_MAX, format_decimal
from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import from_ns, timestamp_text

PRICE_SANE_FACTOR = 10
"""A limit or stop more than ten times away from the market is taken for a typing error."""

SECOND_NS = 1_000_000_000


def supported(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """The venue holds the order's type and time in force, and that it only rests."""
    venue = now.view.venue
    if order.type not in venue.types:
        return Refusal(Denial.ORDER_TYPE_UNSUPPORTED, f"venue {venue.name} takes no {order.type.value} orders")
    if order.tif not in venue.times_in_force:
        return Refusal(Denial.TIME_IN_FORCE_UNSUPPORTED, f"venue {venue.name} takes no {order.tif.value} orders")
    if order.post_only and not venue.post_only:
        return Refusal(Denial.POST_ONLY_UNSUPPORTED, f"venue {venue.name} takes no post-only orders")
    if order.tif in AUCTIONS and order.type not in (OrderType.MARKET, OrderType.LIMIT):
        message = f"{order.tif.value} is for MARKET and LIMIT orders, this is {order.type.value}"
        return Refusal(Denial.TIME_IN_FORCE_UNSUPPORTED, message)
    return None


def tradable(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """The symbol trades already, and still does."""
    listed_ns, known = now.instrument.listed_ns, (now.view.endings.get(order.symbol), now.instrument.delisted_ns)
    if now.at_ns < listed_ns:
        return Refusal(Denial.NOT_TRADABLE, f"{order.symbol} is listed at {timestamp_text(from_ns(listed_ns))} only")
    if not any(known):
        return None
    ends_ns = min(one for one in known if one)
    if now.at_ns < ends_ns:
        return None
    ended = timestamp_text(from_ns(ends_ns))
    told = f"{order.symbol} trades no more since {ended}: it was delisted, has expired, or is others now"
    return Refusal(Denial.NOT_TRADABLE, told)


def trading_state(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """The account trades at all, and adds only while it is ACTIVE."""
    if now.view.trading is TradingState.HALTED:
        return Refusal(Denial.TRADING_HALTED, "the account is HALTED: nothing may trade")
    if now.view.trading is TradingState.REDUCING and now.adds(order, sized):
        return Refusal(
            Denial.TRADING_REDUCING,
            f"the account is REDUCING and holds {_quantity(now.instrument, now.held)} of {order.symbol}: "
            f"{_order(order, sized, now)} could add to it",
        )
    return None


def reduce_only(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """A reduce-only order takes off what is held and no more."""
    if order.reduce_only and increases(order.side, sized.quantity, now.held):
        held = _quantity(now.instrument, now.held)
        return Refusal(
            Denial.REDUCE_ONLY_INCREASES, f"{_order(order, sized, now)} is reduce-only and {held} is held of it"
        )
    return None


def bounds(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """Quantity, number of open orders and expiry are within their bounds."""
    instrument = now.instrument
    if sized.quantity < instrument.quantity_min:
        quantity, least = (_quantity(instrument, one) for one in (sized.quantity, instrument.quantity_min))
        return Refusal(Denial.QUANTITY_BELOW_MINIMUM, f"quantity {quantity} is below {least}, the venue's minimum")
    if instrument.quantity_max and sized.quantity > instrument.quantity_max:
        quantity, most = (_quantity(instrument, one) for one in (sized.quantity, instrument.quantity_max))
        return Refusal(Denial.QUANTITY_ABOVE_MAXIMUM, f"quantity {quantity} is above {most}, the venue's maximum")
    if now.open_orders >= now.limits.open_orders_max:
        return Refusal(
            Denial.OPEN_ORDERS_ABOVE_LIMIT,
            f"{now.open_orders} orders of the account are open, open_orders_max is {now.limits.open_orders_max}",
        )
    if order.tif is TimeInForce.GTD and (order.expire_at_ns is None or order.expire_at_ns <= now.at_ns):
        ends = "missing" if order.expire_at_ns is None else timestamp_text(from_ns(order.expire_at_ns))
        return Refusal(
            Denial.EXPIRED_ON_ARRIVAL, f"expire_at is {ends}, not after {timestamp_text(from_ns(now.at_ns))}"
        )
    return None


def price_known(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """There is a recent price, and the order's own prices are near it."""
    mark = now.mark
    if mark is None:
        return Refusal(Denial.PRICE_STALE, f"no price of {order.symbol} is known yet")
    age_ns, most_ns = now.at_ns - mark.at_ns, max(now.limits.price_age_max_ns, mark.bar_ns)
    if age_ns > most_ns:
        return Refusal(
            Denial.PRICE_STALE,
            f"the last price of {order.symbol} is {age_ns // SECOND_NS} s old, {most_ns // SECOND_NS} s are allowed",
        )
    for name, price in (("limit_price", sized.limit), ("stop_price", sized.stop)):
        if price is not None and not mark.price <= price * PRICE_SANE_FACTOR <= mark.price * PRICE_SANE_FACTOR**2:
            return Refusal(
                Denial.PRICE_INSANE,
                f"{name} {_price(now.instrument, price)} is more than {PRICE_SANE_FACTOR} times away from the last "
                f"price, {_price(now.instrument, mark.price)}",
            )
    return None


def post_only(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """A post-only order is a limit order that rests."""
    if not order.post_only:
        return None
    if order.type is not OrderType.LIMIT or sized.limit is None or now.mark is None:
        return Refusal(Denial.POST_ONLY_CROSSES, f"post-only is for LIMIT orders, this is {order.type.value}")
    crosses = sized.limit >= now.mark.price if order.side is Side.BUY else sized.limit <= now.mark.price
    if not crosses:
        return None
    limit, last = _price(now.instrument, sized.limit), _price(now.instrument, now.mark.price)
    return Refusal(Denial.POST_ONLY_CROSSES, f"limit_price {limit} would trade at once, the last price is {last}")


def notional(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """Bounds of one order: at its worst price from above, and from below at its own, by which a venue judges it."""
    instrument, own_max = now.instrument, now.limits.order_notional_max
    worth = _worth(instrument, now.price_of(sized), sized.quantity)
    if worth > INT64_MAX:
        return Refusal(
            Denial.NOTIONAL_ABOVE_LIMIT, f"the notional of {_order(order, sized, now)} is too large to count"
        )
    if instrument.notional_max and worth > instrument.notional_max:
        amount, most = now.money(worth), now.money(instrument.notional_max)
        return Refusal(Denial.NOTIONAL_ABOVE_LIMIT, f"notional {amount} would be above the venue's maximum {most}")
    if own_max:
        valued = now.view.in_base(worth, instrument.quote)
        if (valued is None or valued > own_max) and now.adds(order, sized):
            amount, most = now.money(worth), now.base_money(own_max)
            return Refusal(Denial.NOTIONAL_ABOVE_LIMIT, f"notional {amount} would be above order_notional_max {most}")
    return _minimum(order, sized, now) if instrument.notional_min else None


def _minimum(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    instrument = now.instrument
    own = instrument.notional(sized.limit or sized.stop or now.price_of(sized), sized.quantity)
    if own >= instrument.notional_min or not increases(order.side, sized.quantity, now.held):
        return None
    least = now.money(instrument.notional_min)
    return Refusal(Denial.NOTIONAL_BELOW_MINIMUM, f"notional {now.money(own)} is below {least}, the venue's minimum")


def _worth(instrument: Instrument, price: int, quantity: int) -> int:
    try:
        return instrument.notional(price, quantity)
    except InvalidRequest:
        return INT64_MAX + 1


def _order(order: Order, sized: SizedOrder, now: RiskContext) -> str:
    return f"{order.side.value} {_quantity(now.instrument, sized.quantity)} {order.symbol}"


def _quantity(instrument: Instrument, quantity: int) -> str:
    return format_decimal(instrument.quantity_decimal(quantity))


def _price(instrument: Instrument, price: int) -> str:
    return format_decimal(instrument.price_decimal(price))
