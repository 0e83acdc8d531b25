"""Limits of the pre-trade check: the operator's own, tightened by a world's."""

from __future__ import annotations

from dataclasses import asdict, replace
from decimal import Decimal

from brokerage.domain.models.profile import NOTHING, BrokerageProfile, Limits
from brokerage.domain.money import LIMIT_SCALE
from brokerage.domain.orders.order import Side
from qmtl.core.decimals import INT64_MAX
from qmtl.core.limits import UNLIMITED, RiskLimits

_AMOUNTS = (
    "order_notional_max",
    "position_notional_max",
    "account_gross_max",
    "account_net_max",
    "world_gross_max",
    "world_net_max",
)


def tightened(profile: BrokerageProfile, world: RiskLimits, side: Side, scale: int) -> BrokerageProfile:
    """The profile under the tighter of each house limit and its world's, as they bind an order of one side.

    `scale` is the places of the currency the order is valued in.
    """
    if world == UNLIMITED and scale == LIMIT_SCALE:
        return profile
    house, position = at_scale(profile.limits, scale), _of_side(world, side)
    limits = replace(
        house,
        order_notional_max=_tighter(house.order_notional_max, world.order_notional_max, scale),
        position_notional_max=_tighter(house.position_notional_max, position, scale),
        world_gross_max=_tighter(house.world_gross_max, world.gross_notional_max, scale),
        world_net_max=_tighter(house.world_net_max, world.net_notional_max, scale),
    )
    return replace(profile, limits=limits)


def at_scale(limits: Limits, scale: int) -> Limits:
    """House limits in units of the currency an order is valued in, rounded down; a small one does not become none."""
    if scale == LIMIT_SCALE:
        return limits
    unit = 10 ** (LIMIT_SCALE - scale)
    given = {name: amount for name, amount in asdict(limits).items() if name in _AMOUNTS and amount}
    return replace(limits, **{name: amount // unit or NOTHING for name, amount in given.items()})


def spans_accounts(house: Limits, world: RiskLimits) -> bool:
    """Whether a limit is over all accounts of a world: an order then has to know them all and to hold them still."""
    return bool(house.world_gross_max or house.world_net_max or world.gross_notional_max or world.net_notional_max)


def _of_side(world: RiskLimits, side: Side) -> Decimal | None:
    return world.long_notional_max if side is Side.BUY else world.short_notional_max


def _tighter(house: int, world: Decimal | None, scale: int) -> int:
    if world is None:
        return house
    numerator, denominator = world.as_integer_ratio()  # exact: arithmetic of Decimals would round up at 28 digits
    units = min(numerator * 10**scale // denominator, INT64_MAX) or NOTHING
    return min(house, units) if house else units
