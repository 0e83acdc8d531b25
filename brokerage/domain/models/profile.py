"""A brokerage profile: the fees, slippage, participation and buying power that orders meet in simulation.

One profile drives local backtests and the paper venue alike. Rates are integers of 1e-8 (see money.RATE_SCALE).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from brokerage.domain.accounts.ledger import Settles
from brokerage.domain.market.instrument import AssetClass, Instrument
from brokerage.domain.models.buying_power.margins import Margins
from brokerage.domain.models.buying_power.model import BuyingPower, BuyingPowerModel
from brokerage.domain.models.fees.model import FeeModel
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.financing import UNLIMITED, BorrowRate, LoanRates
from brokerage.domain.models.settlement import share_settles_ns
from brokerage.domain.models.slippage.model import NO_SLIPPAGE, SlippageModel
from brokerage.domain.models.source import Dated
from qmtl.core.errors import NotFound

EVERY_CLASS = frozenset(AssetClass)


@dataclass(frozen=True, slots=True)
class BrokerageProfile:
    """Reality as assumed. `participation` caps a strategy's fills in a bar by its volume; 0 fills in full.

    On ticks `participation` is of each trade, and `limits_at_touch` lets a trade at a resting limit fill it too, not
    only one beyond.

    `margins` are those of positions on MARGIN (None: by `leverage`). `asset_classes` are those the profile's tables are
    made for: an instrument of another has no fee here. `shares_settle_later`: on CASH the proceeds of shares wait for
    their day. `loans` by currency are what money owed on MARGIN costs (None: nothing), `borrow` by symbol what shorts
    do, `funding_rates` by symbol the rate that a perpetual future pays at each of its instants.
    """

    fee: FeeModel = field(default_factory=PercentFee)
    slippage: SlippageModel = NO_SLIPPAGE
    participation: int = 10_000_000
    limits_at_touch: bool = False
    buying_power: BuyingPower = BuyingPower.CASH
    leverage: int = 1
    margins: Margins | None = None
    name: str = "generic"
    asset_classes: frozenset[AssetClass] = EVERY_CLASS
    shares_settle_later: bool = False
    loans: Mapping[str, LoanRates] | None = None
    borrow: Mapping[str, Sequence[Dated[BorrowRate]]] = field(default_factory=dict)
    funding_rates: Mapping[str, Sequence[Dated[int]]] = field(default_factory=dict)
    funding: BuyingPowerModel = field(init=False, repr=False, compare=False)
    """What orders take of an account's money under this profile."""

    def __post_init__(self) -> None:
        model = BuyingPowerModel(self.buying_power, self.leverage, self.fee, self.margins)
        object.__setattr__(self, "funding", model)

    @property
    def settles(self) -> Settles | None:
        """When proceeds may be used; None: at once."""
        later = self.shares_settle_later and self.buying_power is BuyingPower.CASH
        return share_settles_ns if later else None

    @property
    def moves_with_time(self) -> bool:
        """Whether time alone moves money, also of what is no future."""
        return self.settles is not None or bool(self.loans or self.borrow or self.funding_rates)

    def borrowed(self, symbol: str, at_ns: int) -> BorrowRate:
        """What borrowing a symbol costs on a day; without a row at no rate."""
        rows = [row.value for row in self.borrow.get(symbol, ()) if row.from_ns <= at_ns]
        return rows[-1] if rows else UNLIMITED

    def require(self, instrument: Instrument) -> None:
        """Raises NotFound (E_PROFILE_TABLE_MISSING) for an instrument of a class that its tables are not made for, or
        whose margin is not known.
        """
        if instrument.asset_class not in self.asset_classes:
            raise NotFound(
                "E_PROFILE_TABLE_MISSING",
                f"profile {self.name} has no fees for {instrument.symbol}, which is {instrument.asset_class.value}",
                hint="use a profile of its class, or name a percent fee",
            )
        if self.margins is not None and self.buying_power is BuyingPower.MARGIN:
            self.margins.require(instrument)
