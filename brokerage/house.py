"""The house: what is the same for every account of this brokerage, made from its settings."""

from __future__ import annotations

from dataclasses import dataclass, replace

from brokerage.config import Settings
from brokerage.domain.instrument import AssetClass, Instruments, instrument
from brokerage.domain.money import currency_scale
from brokerage.domain.profile import BrokerageProfile, BuyingPower, Limits, PercentFee, rate
from brokerage.rows import Account
from brokerage.wire import SECOND_NS
from qmtl.core.decimals import parse_decimal, to_scaled

MONEY_SCALE = currency_scale("USD")


@dataclass(frozen=True, slots=True)
class House:
    """What is the same for every account: the symbol-properties table and the venue's reality."""

    instruments: Instruments
    profile: BrokerageProfile

    def profile_of(self, account: Account) -> BrokerageProfile:
        return replace(self.profile, fee=PercentFee(account.fee_rate, account.fee_rate))


def house_of(settings: Settings) -> House:
    """The symbol-properties table and the venue's reality as set. Raises InvalidRequest for a number that is none."""
    known = [
        instrument(
            symbol,
            base=entry.base,
            quote=entry.quote,
            tick=entry.tick,
            lot=entry.lot,
            multiplier=entry.multiplier,
            notional_min=entry.notional_min,
            asset_class=AssetClass(entry.asset_class),
        )
        for symbol, entry in settings.instruments.items()
    ]
    limits = Limits(
        open_orders_max=settings.open_orders_max,
        order_notional_max=to_scaled(parse_decimal(settings.order_notional_max, "order_notional_max"), MONEY_SCALE),
        price_age_max_ns=settings.price_age_max_s * SECOND_NS,
    )
    profile = BrokerageProfile(
        slippage=rate(settings.slippage),
        participation=rate(settings.participation),
        buying_power=BuyingPower(settings.buying_power.upper()),
        leverage=settings.leverage,
        limits=limits,
    )
    return House(Instruments(known), profile)
