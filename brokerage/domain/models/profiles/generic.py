"""Spot and margin trading at percent fees, of no venue in particular."""

from __future__ import annotations

from dataclasses import replace

from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.slippage.model import ConstantSlippage
from brokerage.domain.money import RATE_ONE, rate
from qmtl.core.errors import refused


def spot(fee: str = "0.001", *, slippage: str = "0", participation: str = "0.1") -> BrokerageProfile:
    """Spot trading paid in full: percent fee both ways, no shorting."""
    return BrokerageProfile(
        fee=PercentFee(rate(fee), rate(fee)),
        slippage=ConstantSlippage(rate(slippage)),
        participation=rate(participation),
    )


def margin(
    leverage: int = 1, fee: str = "0.001", *, slippage: str = "0", participation: str = "0.1"
) -> BrokerageProfile:
    """Margin trading: shorts allowed, notional / leverage held against equity."""
    return BrokerageProfile(
        fee=PercentFee(rate(fee), rate(fee)),
        slippage=ConstantSlippage(rate(slippage)),
        participation=rate(participation),
        buying_power=BuyingPower.MARGIN,
        leverage=leverage,
    )


def at_least(
    profile: BrokerageProfile, maker: str = "", taker: str = "", slippage: str = "", participation: str = ""
) -> BrokerageProfile:
    """A profile of percent fees with each rate that is asked and higher than its own, and less of a bar's volume where
    that is asked. Decimal strings, shares; empty: nothing is asked.

    Raises InvalidRequest (E_DECIMAL, E_FIELD): a rate that is no share, or beyond 1e-8, which is not simulated.
    """
    made, kept = profile, profile.fee.rates
    fees = max(kept[0], _share("maker_fee_rate_min", maker)), max(kept[1], _share("taker_fee_rate_min", taker))
    if fees != kept:
        made = replace(made, fee=PercentFee(*fees))
    slips = _share("slippage_rate_min", slippage)
    if slips > made.slippage.rate:
        made = replace(made, slippage=ConstantSlippage(slips))
    if participation:
        most = _share("participation_max", participation)
        if not most:
            raise refused("E_FIELD", "participation_max", participation, "a share above 0")
        made = replace(made, participation=min(made.participation or most, most))
    return made


def _share(field: str, text: str) -> int:
    found = rate(text, field) if text else 0
    if not 0 <= found <= RATE_ONE:
        raise refused("E_FIELD", field, text, "a share from 0 to 1")
    return found
