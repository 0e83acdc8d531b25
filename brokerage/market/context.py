"""What is the same for every account: instruments, reality models and the way to the venue."""

from __future__ import annotations

from dataclasses import dataclass, replace

from brokerage.domain.accounts.account import Account
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.latency import DIRECT, Link
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.named import profile_named
from brokerage.domain.orders.order import Order
from brokerage.domain.orders.states import EventKind, OrderType
from brokerage.domain.risk.limits import NO_LIMITS, Limits


@dataclass(frozen=True, slots=True)
class MarketContext:
    """What is the same for every account: the symbol-properties table and the venue's reality."""

    instruments: Instruments
    profile: BrokerageProfile
    limits: Limits = NO_LIMITS
    link: Link = DIRECT
    emulate_stops: bool = False

    def profile_of(self, account: Account) -> BrokerageProfile:
        """The account's own profile, or that of the settings with its own fee; with its own buying power."""
        percent = PercentFee(account.fee_rate, account.fee_rate)
        made = profile_named(account.profile) if account.profile else replace(self.profile, fee=percent)
        return replace(
            made,
            buying_power=BuyingPower(account.type.value),
            leverage=account.leverage,
        )

    def first_rest(self, order: Order) -> EventKind:
        """The event a passed order comes to rest with: at the venue, before the wire, or watched here."""
        if self.emulate_stops and order.type is OrderType.STOP_MARKET:
            return EventKind.EMULATED
        return EventKind.ACCEPTED if self.link.direct else EventKind.RELEASED
