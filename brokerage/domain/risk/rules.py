"""The pre-trade check: every order passes every rule, and the first rule it breaks is its named refusal.

Pure: what the rules look at stands in the RiskContext. Anything missing narrows (no price: denied), nothing
missing ever widens. Reducing quantity is exempt from weight and from buying power, never from precision or the fence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from brokerage.domain.money import currency_scale
from brokerage.domain.orders.denials import Refusal
from brokerage.domain.orders.order import Order, SizedOrder
from brokerage.domain.risk.account_limits import account_limits
from brokerage.domain.risk.context import RiskContext
from brokerage.domain.risk.exposure_rules import buying_power, circuit, exposures, short_available
from brokerage.domain.risk.limits import tightened
from brokerage.domain.risk.order_rules import (
    bounds,
    notional,
    post_only,
    price_known,
    reduce_only,
    supported,
    tradable,
    trading_state,
)
from qmtl.core.limits import UNLIMITED, RiskLimits

WORLD_LIMIT = "WORLD_LIMIT: "
"""Begins the sentence of a denial that only the world's own limits gave."""

Rule = Callable[[Order, SizedOrder, RiskContext], Refusal | None]

_RULES: tuple[Rule, ...] = (
    supported,
    tradable,
    trading_state,
    circuit,
    reduce_only,
    bounds,
    price_known,
    post_only,
    notional,
    exposures,
    account_limits,
    short_available,
    buying_power,
)


def check(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """The first rule a sized order breaks, or None."""
    world = now.view.world_limits
    refused = _first(order, sized, now, world)
    if refused is None or world == UNLIMITED:
        return refused
    without = _first(order, sized, now, UNLIMITED)
    if without is not None and without.denial is refused.denial:
        return refused
    return Refusal(
        refused.denial, f"{WORLD_LIMIT}{refused.message}, by gating_policy.risk_limits of world {now.owner.world_id}"
    )


def check_standing(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """What can be said of an order that waits for another: whether the venue takes it, whether its prices are sane."""
    return supported(order, sized, now) or tradable(order, sized, now) or price_known(order, sized, now)


def check_netted(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """What is to be said of a netted order as one; what it does to each of its owners its shares are asked about."""
    whole = (supported, tradable, bounds, price_known, notional)
    return next((found for rule in whole if (found := rule(order, sized, now)) is not None), None)


def _first(order: Order, sized: SizedOrder, now: RiskContext, world: RiskLimits) -> Refusal | None:
    limits = tightened(now.limits, world, order.side, currency_scale(now.view.base_currency))
    bound = now if limits is now.limits else replace(now, limits=limits)
    for rule in _RULES:
        refused = rule(order, sized, bound)
        if refused is not None:
            return refused
    return None
