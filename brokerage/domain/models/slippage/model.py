"""Slippage models: a distance in price units for one fill, always against the trader, rounded up to a whole unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from brokerage.domain.market.instrument import AssetClass, Instrument
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.order import Side
from qmtl.core.fast_init import fast_init


@fast_init
@dataclass(frozen=True, slots=True)
class Taken:
    """A fill as its slippage is asked of it: side, price, quantity, and what is known of the market around it.

    `volume` is what traded in the bar, in base quantity; `bid` and `ask` are 0 without quotes.
    """

    instrument: Instrument
    side: Side
    price: int
    quantity: int
    volume: int = 0
    bid: int = 0
    ask: int = 0


class SlippageModel(Protocol):
    """How far a fill is moved."""

    @property
    def rate(self) -> int:
        """The share of the price, in 1e-8, that it never falls below."""
        ...

    def distance(self, taken: Taken) -> int:
        """Price units by which a fill is worse, at least 0, up to a whole unit."""
        ...


@dataclass(frozen=True, slots=True)
class ConstantSlippage:
    """slip = price x rate; a rate of 0 is no slippage."""

    rate: int = 0

    def distance(self, taken: Taken) -> int:
        """The share of the price."""
        distance: int = -(-taken.price * self.rate // RATE_ONE)
        return distance


NO_SLIPPAGE = ConstantSlippage()


@dataclass(frozen=True, slots=True)
class HalfSpread:
    """slip = (ask - bid) / 2, for fills at a middle or last price; without quotes 0, and a crossed book counts as 0."""

    @property
    def rate(self) -> int:
        """None is promised."""
        return 0

    def distance(self, taken: Taken) -> int:
        """Half the spread, up."""
        return max(-((taken.bid - taken.ask) // 2), 0) if taken.bid and taken.ask else 0


@dataclass(frozen=True, slots=True)
class VolumeShareSlippage:
    """slip = price x impact x min(quantity / volume, limit)^2, with impact 0.1 and limit 2.5 % in 1e-8.

    Where nothing traded the share is the limit for shares and futures, and 0 for crypto and currencies. Source:
    QuantConnect Lean, VolumeShareSlippageModel.
    """

    impact: int = 10_000_000
    limit: int = 2_500_000

    @property
    def rate(self) -> int:
        """None is promised."""
        return 0

    def distance(self, taken: Taken) -> int:
        """The share of volume squared, of the price, up."""
        share, whole = self._share(taken)
        distance: int = -(-taken.price * self.impact * share * share // (RATE_ONE * whole * whole))
        return distance

    def _share(self, taken: Taken) -> tuple[int, int]:
        """The share of volume as a fraction."""
        if taken.volume <= 0:
            free = taken.instrument.asset_class in (AssetClass.CRYPTO, AssetClass.FOREX)
            return (0 if free else self.limit), RATE_ONE
        if taken.quantity * RATE_ONE > self.limit * taken.volume:
            return self.limit, RATE_ONE
        return taken.quantity, taken.volume
