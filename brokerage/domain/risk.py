"""The pre-trade check: every order passes every rule, and the first rule it breaks is its named refusal.

Pure: what the rules look at stands in `Circumstances`. Anything missing narrows (no price: denied), nothing
missing ever widens. Reducing quantity is exempt from weight and from buying power, never from precision or the fence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum

from brokerage.domain.exposure import ALONE, Around, Exposure, Working, exposure_of, reach
from brokerage.domain.instrument import AssetClass, Instrument
from brokerage.domain.ledger import Position
from brokerage.domain.matching import MATCHED_TIFS, MATCHED_TYPES
from brokerage.domain.money import RATE_ONE, currency_scale, fit, floor_to
from brokerage.domain.orders import Denial, Order, Side
from brokerage.domain.profile import BrokerageProfile, BuyingPower, tightened
from brokerage.domain.states import OrderType, TimeInForce
from qmtl.core.decimals import INT64_MAX, to_scaled
from qmtl.core.errors import InvalidRequest
from qmtl.core.limits import UNLIMITED, RiskLimits

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS

PRICE_SANE_FACTOR = 10
"""A limit or stop more than ten times away from the market is taken for a typing error."""


class TradingState(Enum):
    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


@dataclass(frozen=True, slots=True)
class Mark:
    """The last known price of a symbol: when it was true, and how long a bar of it lasts."""

    price: int
    at_ns: int
    bar_ns: int = 0


@dataclass(frozen=True, slots=True)
class Sized:
    """An order in scaled integers, after weight: what will be worked. `worst` is 0 for one that trades at the mark."""

    quantity: int
    limit: int | None
    stop: int | None
    expire_ns: int | None
    worst: int


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the check may look at, before this order.

    `free` is quote currency that may still be committed; `buys` and `sells` are the strategy's open orders in the
    symbol; `equity` is the account's, `around` the rest of the account and its world, `limits` are the world's beside
    the profile's.
    """

    at_ns: int
    position: Position
    buys: Working
    sells: Working
    open_orders: int
    mark: Mark | None
    free: int
    trading: TradingState = TradingState.ACTIVE
    weight: int = RATE_ONE
    equity: int = 0
    around: Around = ALONE
    limits: RiskLimits = UNLIMITED


def size(order: Order, instrument: Instrument, now: Circumstances) -> Sized | Denial:
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
    return Sized(weighted, limit, stop, _expiry(order, now.at_ns), _worst(order.side, limit, stop, now.mark))


def weigh(quantity: int, side: Side, held: int, weight: int, lot: int) -> int:
    """Scale by the gate's weight, toward zero to the lot, the part of an order that adds risk; never the rest."""
    reducing = min(quantity, abs(held)) if held * side.sign < 0 else 0
    return reducing + floor_to((quantity - reducing) * weight // RATE_ONE, lot)


def check(
    order: Order, sized: Sized, instrument: Instrument, profile: BrokerageProfile, now: Circumstances
) -> Denial | None:
    """The first rule a sized order breaks, or None."""
    tight = tightened(profile, now.limits, order.side, currency_scale(instrument.quote))
    for rule in _RULES:
        denial = rule(order, sized, instrument, tight, now)
        if denial is not None:
            return denial
    return None


def denied_by_world(
    denial: Denial,
    order: Order,
    sized: Sized,
    instrument: Instrument,
    profile: BrokerageProfile,
    now: Circumstances,
) -> bool:
    """Whether a denial is of the world's limits: without them the order would have met another one, or none."""
    if now.limits == UNLIMITED:
        return False
    return check(order, sized, instrument, profile, replace(now, limits=UNLIMITED)) is not denial


def increases(side: Side, quantity: int, held: int) -> bool:
    """Whether an order could leave a position larger than it is, or on the other side."""
    return held * side.sign >= 0 or quantity > abs(held)


def increase(side: Side, quantity: int, held: int) -> int:
    """The part of an order that opens or adds."""
    return quantity if held * side.sign >= 0 else max(quantity - abs(held), 0)


def paced(rate_ns: int, per_s: int, now_ns: int) -> int | None:
    """Where the even pace of a rate limit stands after one more order now, or None if that is too fast.

    A second's worth of orders may come at once. `rate_ns` is what the order before returned, 0 if there was none.
    """
    begin = now_ns - SECOND_NS
    after = max(rate_ns or begin, begin) + SECOND_NS // per_s
    return after if after <= now_ns else None


def drawn_down(equity: int, peak: int, drawdown_max: int) -> bool:
    """Whether equity has fallen from its peak by the share that opens the circuit."""
    lost: int = (peak - equity) * RATE_ONE
    return lost >= peak * drawdown_max


def needed(instrument: Instrument, profile: BrokerageProfile, price: int, quantity: int) -> int:
    """Quote currency that opening `quantity` at `price` takes: notional / leverage and the fee."""
    notional = instrument.notional(price, quantity)
    leverage = profile.leverage if profile.buying_power is BuyingPower.MARGIN else 1
    return fit(-(-notional // leverage) + profile.fee.estimate(notional), "commitment")


Rule = Callable[[Order, Sized, Instrument, BrokerageProfile, Circumstances], Denial | None]


def _supported(
    order: Order, sized: Sized, instrument: Instrument, profile: BrokerageProfile, now: Circumstances
) -> Denial | None:
    if order.type not in MATCHED_TYPES:
        return Denial.ORDER_TYPE_UNSUPPORTED
    if order.tif not in MATCHED_TIFS:
        return Denial.TIME_IN_FORCE_UNSUPPORTED
    if order.tif is TimeInForce.DAY and instrument.asset_class is not AssetClass.CRYPTO:
        return Denial.TIME_IN_FORCE_UNSUPPORTED  # the close of other sessions needs calendars
    return None


def _trading(
    order: Order, sized: Sized, instrument: Instrument, profile: BrokerageProfile, now: Circumstances
) -> Denial | None:
    if now.trading is TradingState.HALTED:
        return Denial.TRADING_HALTED
    if now.trading is TradingState.REDUCING and increases(order.side, _with_working(order, sized, now), _held(now)):
        return Denial.TRADING_REDUCING
    return None


def _reduce_only(
    order: Order, sized: Sized, instrument: Instrument, profile: BrokerageProfile, now: Circumstances
) -> Denial | None:
    if order.reduce_only and increases(order.side, sized.quantity, _held(now)):
        return Denial.REDUCE_ONLY_INCREASES
    return None


def _bounds(
    order: Order, sized: Sized, instrument: Instrument, profile: BrokerageProfile, now: Circumstances
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


def _price_known(
    order: Order, sized: Sized, instrument: Instrument, profile: BrokerageProfile, now: Circumstances
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


def _circuit(
    order: Order, sized: Sized, instrument: Instrument, profile: BrokerageProfile, now: Circumstances
) -> Denial | None:
    opened = now.around.circuit_open and increases(order.side, _with_working(order, sized, now), _held(now))
    return Denial.DRAWDOWN_CIRCUIT if opened else None


def _exposures(
    order: Order, sized: Sized, instrument: Instrument, profile: BrokerageProfile, now: Circumstances
) -> Denial | None:
    """Position, leverage, gross and net, as they would be at their worst; what only reduces is never held up."""
    held, together = _held(now), _with_working(order, sized, now)
    if now.mark is None or not increases(order.side, together, held):
        return None
    buys = together if order.side is Side.BUY else now.buys.reach(Side.BUY, held)
    sells = together if order.side is Side.SELL else now.sells.reach(Side.SELL, held)
    try:
        own = exposure_of(instrument, now.mark.price, held, buys, sells)
    except InvalidRequest:
        return Denial.EXPOSURE_ABOVE_LIMIT  # beyond int64
    limits, total = profile.limits, now.around.account + own
    if limits.position_notional_max and _net(own, order.side) > limits.position_notional_max:
        return Denial.POSITION_ABOVE_LIMIT
    if limits.leverage_max and total.gross * RATE_ONE > limits.leverage_max * max(now.equity, 0):
        return Denial.LEVERAGE_ABOVE_LIMIT
    world = None if now.around.world is None else now.around.world + total
    beyond = _beyond(total, order.side, limits.account_gross_max, limits.account_net_max)
    if beyond or _beyond(world, order.side, limits.world_gross_max, limits.world_net_max):
        return Denial.EXPOSURE_ABOVE_LIMIT
    return None


def _net(exposure: Exposure, side: Side) -> int:
    """How far an exposure goes to the side of an order."""
    return exposure.long if side is Side.BUY else -exposure.short


def _beyond(exposure: Exposure | None, side: Side, gross_max: int, net_max: int) -> bool:
    """Whether an exposure is over a limit; one that cannot be valued is over every limit there is."""
    if exposure is None:
        return bool(gross_max or net_max)
    return bool((gross_max and exposure.gross > gross_max) or (net_max and _net(exposure, side) > net_max))


def _post_only(
    order: Order, sized: Sized, instrument: Instrument, profile: BrokerageProfile, now: Circumstances
) -> Denial | None:
    if not order.post_only:
        return None
    if order.type is not OrderType.LIMIT or sized.limit is None or now.mark is None:
        return Denial.POST_ONLY_CROSSES
    crosses = sized.limit >= now.mark.price if order.side is Side.BUY else sized.limit <= now.mark.price
    return Denial.POST_ONLY_CROSSES if crosses else None


def _notional(
    order: Order, sized: Sized, instrument: Instrument, profile: BrokerageProfile, now: Circumstances
) -> Denial | None:
    """Bounds of one order: at its worst price from above, and from below at its own, by which a venue judges it."""
    notional, house_max = _worth(instrument, _reference(sized, now), sized.quantity), profile.limits.order_notional_max
    if notional > INT64_MAX or (instrument.notional_max and notional > instrument.notional_max):
        return Denial.NOTIONAL_ABOVE_LIMIT
    if house_max and notional > house_max and increases(order.side, _with_working(order, sized, now), _held(now)):
        return Denial.NOTIONAL_ABOVE_LIMIT
    return _minimum(order, sized, instrument, now) if instrument.notional_min else None


def _minimum(order: Order, sized: Sized, instrument: Instrument, now: Circumstances) -> Denial | None:
    own = instrument.notional(sized.limit or sized.stop or _reference(sized, now), sized.quantity)
    small = own < instrument.notional_min and increases(order.side, sized.quantity, _held(now))
    return Denial.NOTIONAL_BELOW_MINIMUM if small else None


def _buying_power(
    order: Order, sized: Sized, instrument: Instrument, profile: BrokerageProfile, now: Circumstances
) -> Denial | None:
    held = _held(now)
    if profile.buying_power is BuyingPower.CASH:
        if order.side is Side.SELL:
            short = _with_working(order, sized, now) > held
            return Denial.SHORT_UNAVAILABLE if short else None
        cost = needed(instrument, profile, _reference(sized, now), sized.quantity)
        return Denial.BALANCE_INSUFFICIENT if cost > now.free else None
    added = increase(order.side, _with_working(order, sized, now), held)
    if not added:
        return None
    cost = needed(instrument, profile, _reference(sized, now), min(added, sized.quantity))
    return Denial.BALANCE_INSUFFICIENT if cost > now.free else None


_RULES: tuple[Rule, ...] = (
    _supported,
    _trading,
    _circuit,
    _reduce_only,
    _bounds,
    _price_known,
    _post_only,
    _notional,
    _exposures,
    _buying_power,
)


def _held(now: Circumstances) -> int:
    return now.position.quantity


def _left_to_reduce(order: Order, now: Circumstances) -> int:
    """The position an order may reduce unscaled: what orders that work on its side would take off is not counted twice.

    A reduce-only order cannot turn a position round, so it may count on the whole of it.
    """
    held = now.position.quantity
    if order.reduce_only or held * order.side.sign >= 0:
        return held
    return -order.side.sign * max(abs(held) - _working(order.side, now).quantity, 0)


def _working(side: Side, now: Circumstances) -> Working:
    return now.buys if side is Side.BUY else now.sells


def _with_working(order: Order, sized: Sized, now: Circumstances) -> int:
    """How far this order and what its side already works in the symbol may move the position: they may all fill."""
    working = _working(order.side, now)
    reducing = working.reducing + (sized.quantity if order.reduce_only else 0)
    return reach(order.side, _held(now), working.quantity + sized.quantity, reducing)


def _worst(side: Side, limit: int | None, stop: int | None, mark: Mark | None) -> int:
    """The worst price an order can trade at, by what is known when it is taken; 0 if that is the mark as it moves.

    Only a buy's limit binds: a sale is worth more the better its price, a stop that is touched already trades at the
    market.
    """
    price = limit or stop or 0
    if not price or mark is None or (limit and side is Side.BUY):
        return price
    return max(price, mark.price)


def _reference(sized: Sized, now: Circumstances) -> int:
    """The price an order is valued at before it trades."""
    return sized.worst or (now.mark.price if now.mark else 0)


def _worth(instrument: Instrument, price: int, quantity: int) -> int:
    try:
        return instrument.notional(price, quantity)
    except InvalidRequest:
        return INT64_MAX + 1


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
