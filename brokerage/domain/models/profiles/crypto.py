"""Crypto venues: spot paid in full, and perpetual futures on margin, at the rates of an account without volume."""

from __future__ import annotations

from brokerage.domain.market.instrument import AssetClass
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.fees.model import FeeModel
from brokerage.domain.models.fees.percent import TieredPercentFee
from brokerage.domain.models.fees.tables import crypto
from brokerage.domain.models.profile import BrokerageProfile

CRYPTO = frozenset({AssetClass.CRYPTO})


def binance_spot(tiers: TieredPercentFee | None = None) -> BrokerageProfile:
    """Binance spot: purchases pay their fee in what they buy. `tiers` are the account's own, if it has volume."""
    return _spot("binance_spot", tiers or crypto.BINANCE_SPOT)


def kraken_spot(tiers: TieredPercentFee | None = None, *, stable: bool = False) -> BrokerageProfile:
    """Kraken spot with fees in quote currency (flag `fciq`); `stable`: pairs of a fiat or stable base.

    Kraken's own default takes a sale's fee in base currency, which a sale of all that is held cannot pay.
    """
    return _spot("kraken_spot", tiers or (crypto.KRAKEN_SPOT_STABLE if stable else crypto.KRAKEN_SPOT))


def coinbase_spot(tiers: TieredPercentFee | None = None, *, stable: bool = False) -> BrokerageProfile:
    """Coinbase spot by the rates in force at each fill; `stable`: pairs of two stable currencies."""
    return _spot("coinbase_spot", tiers or (crypto.COINBASE_SPOT_STABLE if stable else crypto.COINBASE_SPOT))


def binance_usdm(tiers: TieredPercentFee | None = None, *, leverage: int = 20) -> BrokerageProfile:
    """Binance USD-M futures; 20 is the leverage of a symbol for which none was chosen (Binance, FAQ 360033162192).

    Margins are those of the instruments' tiers; where an instrument has none, both are 1 / leverage.
    """
    return BrokerageProfile(
        fee=tiers or crypto.BINANCE_USDM,
        buying_power=BuyingPower.MARGIN,
        leverage=leverage,
        name="binance_usdm",
        asset_classes=CRYPTO,
    )


def _spot(name: str, fee: FeeModel) -> BrokerageProfile:
    return BrokerageProfile(fee=fee, name=name, asset_classes=CRYPTO)
