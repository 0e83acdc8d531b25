"""A brokerage profile: the fees, slippage, participation and buying power that orders meet in simulation.

One profile drives local backtests and the paper venue alike. Rates are integers of 1e-8 (see money.RATE_SCALE).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.money import RATE_ONE, fit
from brokerage.domain.orders.order import Side

HOUR_NS = 3_600_000_000_000

NOTHING = -1
"""A limit that lets nothing be added: less than one unit of a currency must not read as no limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the pre-trade check, a house's own or tightened by a world's. 0 means no limit; NOTHING may stand for a
    notional; a stale price is one older than `price_age_max_ns`.

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


@dataclass(frozen=True, slots=True)
class BrokerageProfile:
    """Reality as assumed. `participation` caps a strategy's fills in a bar by its volume; 0 fills in full."""

    fee: PercentFee = field(default_factory=PercentFee)
    slippage: int = 0
    participation: int = 10_000_000
    buying_power: BuyingPower = BuyingPower.CASH
    leverage: int = 1
    limits: Limits = field(default_factory=Limits)

    def slipped(self, instrument: Instrument, side: Side, price: int) -> int:
        """`price` moved against the trader by the slippage rate, outward to a tick."""
        if not self.slippage:
            return price
        tick = instrument.tick
        slip = -(-price * self.slippage // (RATE_ONE * tick)) * tick
        return max(fit(price + side.sign * slip, "slipped price"), tick)
