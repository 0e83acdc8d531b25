"""Rules on what an order adds: drawdown circuit, position, leverage, gross, net and buying power."""

from __future__ import annotations

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.buying_power.commitment import needed
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Side, SizedOrder
from brokerage.domain.risk.context import RiskContext, held_in, increase, increases, reach_in, reference_price
from brokerage.domain.risk.exposure import Exposure, exposure_of
from qmtl.core.errors import InvalidRequest


def drawn_down(equity: int, peak: int, drawdown_max: int) -> bool:
    """Whether equity has fallen from its peak by the share that opens the circuit."""
    lost: int = (peak - equity) * RATE_ONE
    return lost >= peak * drawdown_max


def circuit(
    order: Order, sized: SizedOrder, instrument: Instrument, profile: BrokerageProfile, now: RiskContext
) -> Denial | None:
    opened = now.around.circuit_open and increases(order.side, reach_in(order, sized, now), held_in(now))
    return Denial.DRAWDOWN_CIRCUIT if opened else None


def exposures(
    order: Order, sized: SizedOrder, instrument: Instrument, profile: BrokerageProfile, now: RiskContext
) -> Denial | None:
    """Position, leverage, gross and net, as they would be at their worst; what only reduces is never held up."""
    held, together = held_in(now), reach_in(order, sized, now)
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


def buying_power(
    order: Order, sized: SizedOrder, instrument: Instrument, profile: BrokerageProfile, now: RiskContext
) -> Denial | None:
    held = held_in(now)
    if profile.buying_power is BuyingPower.CASH:
        if order.side is Side.SELL:
            short = reach_in(order, sized, now) > held
            return Denial.SHORT_UNAVAILABLE if short else None
        cost = needed(instrument, profile, reference_price(sized, now), sized.quantity)
        return Denial.BALANCE_INSUFFICIENT if cost > now.free else None
    added = increase(order.side, reach_in(order, sized, now), held)
    if not added:
        return None
    cost = needed(instrument, profile, reference_price(sized, now), min(added, sized.quantity))
    return Denial.BALANCE_INSUFFICIENT if cost > now.free else None
