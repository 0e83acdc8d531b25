"""The pre-trade check: every order passes every rule, and the first rule it breaks is its named refusal.

Pure: what the rules look at stands in `Circumstances`. Anything missing narrows (no price: denied), nothing
missing ever widens. Reducing quantity is exempt from weight and from buying power, never from precision or the fence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, SizedOrder
from brokerage.domain.risk.context import RiskContext
from brokerage.domain.risk.exposure_rules import buying_power, circuit, exposures
from brokerage.domain.risk.limits import tightened
from brokerage.domain.risk.order_rules import (
    bounds,
    notional,
    post_only,
    price_known,
    reduce_only,
    supported,
    trading_state,
)
from qmtl.core.limits import UNLIMITED

"""A limit or stop more than ten times away from the market is taken for a typing error."""

WORLD_LIMIT = "WORLD_LIMIT: gating_policy.risk_limits of the world; no limit of the house refused it"


def check(
    order: Order, sized: SizedOrder, instrument: Instrument, profile: BrokerageProfile, now: RiskContext
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
    sized: SizedOrder,
    instrument: Instrument,
    profile: BrokerageProfile,
    now: RiskContext,
) -> bool:
    """Whether a denial is of the world's limits: without them the order would have met another one, or none."""
    if now.limits == UNLIMITED:
        return False
    return check(order, sized, instrument, profile, replace(now, limits=UNLIMITED)) is not denial


Rule = Callable[[Order, SizedOrder, Instrument, BrokerageProfile, RiskContext], Denial | None]


_RULES: tuple[Rule, ...] = (
    supported,
    trading_state,
    circuit,
    reduce_only,
    bounds,
    price_known,
    post_only,
    notional,
    exposures,
    buying_power,
)
