"""A brokerage profile: the fees, slippage, participation and buying power that orders meet in simulation.

One profile drives local backtests and the paper venue alike. Rates are integers of 1e-8 (see money.RATE_SCALE).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from brokerage.domain.market.instrument import AssetClass, Instrument
from brokerage.domain.models.buying_power.model import BuyingPower, BuyingPowerModel
from brokerage.domain.models.fees.model import FeeModel
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.slippage.model import NO_SLIPPAGE, SlippageModel
from qmtl.core.errors import NotFound

EVERY_CLASS = frozenset(AssetClass)


@dataclass(frozen=True, slots=True)
class BrokerageProfile:
    """Reality as assumed. `participation` caps a strategy's fills in a bar by its volume; 0 fills in full.

    `asset_classes` are those the profile's tables are made for: an instrument of another has no fee here.
    """

    fee: FeeModel = field(default_factory=PercentFee)
    slippage: SlippageModel = NO_SLIPPAGE
    participation: int = 10_000_000
    buying_power: BuyingPower = BuyingPower.CASH
    leverage: int = 1
    name: str = "generic"
    asset_classes: frozenset[AssetClass] = EVERY_CLASS

    def require(self, instrument: Instrument) -> None:
        """Raises NotFound (E_PROFILE_TABLE_MISSING) for an instrument of a class that its tables are not made for."""
        if instrument.asset_class not in self.asset_classes:
            raise NotFound(
                "E_PROFILE_TABLE_MISSING",
                f"profile {self.name} has no fees for {instrument.symbol}, which is {instrument.asset_class.value}",
                hint="use a profile of its class, or name a percent fee",
            )

    @property
    def funding(self) -> BuyingPowerModel:
        """What orders take of an account's money under this profile."""
        return BuyingPowerModel(self.buying_power, self.leverage, self.fee)
