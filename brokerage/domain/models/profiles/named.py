"""Profiles by their name, as settings and callers say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.crypto import binance_spot, binance_usdm, coinbase_spot, kraken_spot
from brokerage.domain.models.profiles.ibkr import (
    ibkr_day_trader,
    ibkr_equities,
    ibkr_futures,
    ibkr_fx,
    ibkr_reg_t,
)
from qmtl.core.errors import refused


def zero_cost() -> BrokerageProfile:
    """No fee, no slippage, whole fills: for comparing strategies without the market. Never for money."""
    return BrokerageProfile(fee=PercentFee(0, 0), participation=0, name="zero_cost")


PROFILES: Mapping[str, Callable[[], BrokerageProfile]] = {
    "ibkr_equities": ibkr_equities,
    "ibkr_reg_t": ibkr_reg_t,
    "ibkr_day_trader": ibkr_day_trader,
    "ibkr_futures": ibkr_futures,
    "ibkr_fx": ibkr_fx,
    "binance_spot": binance_spot,
    "binance_usdm": binance_usdm,
    "kraken_spot": kraken_spot,
    "coinbase_spot": coinbase_spot,
    "zero_cost": zero_cost,
}


def profile_named(name: str) -> BrokerageProfile:
    """A profile with its defaults. Raises InvalidRequest (E_PROFILE_UNKNOWN) for any other name."""
    made = PROFILES.get(name)
    if made is None:
        raise refused("E_PROFILE_UNKNOWN", "profile", name, f"one of {', '.join(PROFILES)}")
    return made()
