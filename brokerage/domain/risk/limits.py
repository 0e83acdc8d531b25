"""Limits of the pre-trade check: the account's own, tightened by a world's."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from decimal import Decimal

from brokerage.domain.money import LIMIT_SCALE
from brokerage.domain.orders.order import Side
from qmtl.core.decimals import INT64_MAX
from qmtl.core.limits import UNLIMITED, RiskLimits

HOUR_NS = 3_600_000_000_000

NOTHING = -1
"""A limit that lets nothing be added: less than one unit of a currency must not read as no limit."""

_AMOUNTS = (
    "order_notional_max",
    "position_notional_max",
    "account_gross_max",
    "account_net_max",
    "world_gross_max",
    "world_net_max",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the pre-trade check, an account's own or tightened by a world's. 0 means no limit; NOTHING may stand
    for a notional; a stale price is one older than `price_age_max_ns`.

    Amounts are in the account's currency at LIMIT_SCALE, `leverage_max` (gross exposure / equity) and `drawdown_max`
    (share of the highest equity) are rates. Gross and net count positions and open orders at their worst, at the mark.
    """

    open_orders_max: int = 1_000
    order_notional_max: int = 0
    price_age_max_ns: int = HOUR_NS
    orders_per_s_max: int = 0
    position_notional_max: int = 0
    leverage_max: int = 0
    account_gross_max: int = 0
    account_net_max: int = 0
    world_gross_max: int = 0
    world_net_max: int = 0
    drawdown_max: int = 0


NO_LIMITS = Limits()


def tightened(limits: Limits, world: RiskLimits, side: Side, scale: int) -> Limits:
    """The tighter of each own limit and its world's, as they bind an order of one side.

    `scale` is the places of the currency the order is valued in.
    """
    if scale == LIMIT_SCALE and (world is UNLIMITED or world == UNLIMITED):
        return limits
    own, position = at_scale(limits, scale), _of_side(world, side)
    return replace(
        own,
        order_notional_max=_tighter(own.order_notional_max, world.order_notional_max, scale),
        position_notional_max=_tighter(own.position_notional_max, position, scale),
        world_gross_max=_tighter(own.world_gross_max, world.gross_notional_max, scale),
        world_net_max=_tighter(own.world_net_max, world.net_notional_max, scale),
    )


def at_scale(limits: Limits, scale: int) -> Limits:
    """Own limits in units of the currency an order is valued in, rounded down; a small one does not become none."""
    if scale == LIMIT_SCALE:
        return limits
    unit = 10 ** (LIMIT_SCALE - scale)
    given = {name: amount for name, amount in asdict(limits).items() if name in _AMOUNTS and amount}
    return replace(limits, **{name: amount // unit or NOTHING for name, amount in given.items()})


def spans_accounts(limits: Limits, world: RiskLimits) -> bool:
    """Whether a limit is over all accounts of a world: an order then has to know them all and to hold them still."""
    return bool(limits.world_gross_max or limits.world_net_max or world.gross_notional_max or world.net_notional_max)


def _of_side(world: RiskLimits, side: Side) -> Decimal | None:
    return world.long_notional_max if side is Side.BUY else world.short_notional_max


def _tighter(own: int, world: Decimal | None, scale: int) -> int:
    if world is None:
        return own
    numerator, denominator = world.as_integer_ratio()  # exact: arithmetic of Decimals would round up at 28 digits
    units = min(numerator * 10**scale // denominator, INT64_MAX) or NOTHING
    return min(own, units) if own else units
