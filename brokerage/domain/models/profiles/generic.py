"""Spot and margin trading at percent fees, of no venue in particular."""

from __future__ import annotations

from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.slippage.model import ConstantSlippage
from brokerage.domain.money import rate


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
