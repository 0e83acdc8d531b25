"""Percent fees: a share of the notional, by maker and taker, one rate for all or by the volume of 30 days."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fees.model import Execution, SameForEveryVolume, VolumeCount
from brokerage.domain.models.source import Dated, value_at
from brokerage.domain.money import RATE_ONE, divide
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side


class FeeCurrency(Enum):
    """What the fee is taken in. BASE_ON_BUY: in what was received, base for buys and quote for sales."""

    QUOTE = "QUOTE"
    BASE_ON_BUY = "BASE_ON_BUY"


@dataclass(frozen=True, slots=True)
class PercentFee(SameForEveryVolume):
    """fee = rate x notional, half to even at the fee currency's scale; rates are integers of 1e-8.

    BASE_ON_BUY charges buys in what was bought, as Binance spot does: a fee in base reduces the quantity received.
    """

    maker: int = 100_000
    taker: int = 100_000
    currency: FeeCurrency = FeeCurrency.QUOTE

    @property
    def rates(self) -> tuple[int, int]:
        """Maker and taker rate."""
        return self.maker, self.taker

    def charge(self, execution: Execution) -> tuple[int, str]:
        """The fee and its currency. A base fee is at the instrument's quantity scale."""
        share = self.maker if execution.liquidity is Liquidity.MAKER else self.taker
        base, bought = execution.instrument.base, execution.side is Side.BUY
        if self.currency is FeeCurrency.BASE_ON_BUY and bought and execution.instrument.withholds(base):
            return divide(execution.quantity * share, RATE_ONE), base
        return divide(execution.notional * share, RATE_ONE), execution.instrument.quote

    def bound(self, instrument: Instrument, notional: int, quantity: int, orders: int = 1) -> int:
        """The higher rate of the notional, and one unit an order for the rounding; nothing where nothing is charged."""
        rate = max(self.maker, self.taker, 0)
        return divide(notional * rate, RATE_ONE) + orders if rate else 0


@dataclass(frozen=True, slots=True)
class VolumeTier:
    """Rates from a traded volume on (`from_volume` included), in the scaled currency of volume."""

    from_volume: int
    fee: PercentFee


@dataclass(frozen=True, slots=True)
class TieredPercentFee:
    """Percent fees whose rates fall with the volume of the last 30 days, as crypto venues publish them.

    A fill is charged whole at the tier of the volume before it. Tiers are in order, the first begins at 0. Volume is
    counted in `volume_currency`; empty: in the quote currency of what is charged.
    """

    tiers: tuple[VolumeTier, ...]
    volume_currency: str = ""

    @property
    def rates(self) -> tuple[int, int]:
        """The lowest maker and taker rates of any tier."""
        return min(tier.fee.maker for tier in self.tiers), min(tier.fee.taker for tier in self.tiers)

    @property
    def counts(self) -> VolumeCount | None:
        """Value of 30 days."""
        return VolumeCount(30, currency=self.volume_currency)

    def charge(self, execution: Execution) -> tuple[int, str]:
        """The fee at the tier of the volume, and its currency."""
        reached = [tier.fee for tier in self.tiers if tier.from_volume <= execution.volume]
        return reached[-1].charge(execution)

    def bound(self, instrument: Instrument, notional: int, quantity: int, orders: int = 1) -> int:
        """The dearest tier: volume may fall out of the 30 days before the fill."""
        return max(tier.fee.bound(instrument, notional, quantity, orders) for tier in self.tiers)


@dataclass(frozen=True, slots=True)
class DatedPercentFee(SameForEveryVolume):
    """Percent fees that changed at known instants: each fill is charged by the rates of its time.

    Raises NotFound (E_PROFILE_TABLE_MISSING) for a fill before the first row.
    """

    table: str
    rows: tuple[Dated[PercentFee], ...]

    @property
    def rates(self) -> tuple[int, int]:
        """The lowest maker and taker rates of any time."""
        return min(row.value.maker for row in self.rows), min(row.value.taker for row in self.rows)

    def charge(self, execution: Execution) -> tuple[int, str]:
        """The fee by the rates in force at the fill, and its currency."""
        return value_at(self.rows, execution.at_ns, self.table).charge(execution)

    def bound(self, instrument: Instrument, notional: int, quantity: int, orders: int = 1) -> int:
        """The dearest rates of any time."""
        return max(row.value.bound(instrument, notional, quantity, orders) for row in self.rows)
