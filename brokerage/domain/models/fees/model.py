"""What every fee model answers: the fee of one execution, and the most that an order may come to cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side
from qmtl.core.fast_init import fast_init


@fast_init
@dataclass(frozen=True, slots=True)
class Execution:
    """One fill as its fee is asked of it, in scaled integers.

    `filled` and `filled_notional` are what the order had filled before: a minimum is charged once an order, whatever
    number of fills it takes. `volume` is what the account had traded before, as the schedule counts it.
    """

    instrument: Instrument
    side: Side
    quantity: int
    notional: int
    liquidity: Liquidity
    filled: int = 0
    filled_notional: int = 0
    volume: int = 0
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class VolumeCount:
    """What of an account's trading a schedule goes by: shares at the quantity scale, or value in a currency (empty: the
    quote currency of what is charged).

    `days`: of so many days of UTC, today with them, and before the fill; 0: of the calendar month, before the order.
    """

    days: int
    shares: bool = False
    currency: str = ""


class FeeModel(Protocol):
    """A venue's schedule. Amounts are scaled integers; a fee in base currency is at the instrument's quantity scale."""

    @property
    def rates(self) -> tuple[int, int]:
        """Shares of the notional, maker and taker in 1e-8, below which no fee falls; 0 where there is none."""
        ...

    @property
    def counts(self) -> VolumeCount | None:
        """The volume that an execution's fee goes by; None: by none."""
        ...

    def charge(self, execution: Execution) -> tuple[int, str]:
        """The fee of an execution and its currency; negative: a rebate."""
        ...

    def bound(self, instrument: Instrument, notional: int, quantity: int, orders: int = 1) -> int:
        """The most that so many orders of a notional and quantity may be charged, in quote currency."""
        ...


class NoShareOfValue:
    """Part of a model by which no share of the value is sure to be charged."""

    __slots__ = ()

    @property
    def rates(self) -> tuple[int, int]:
        """None."""
        return 0, 0


class SameForEveryVolume:
    """Part of a model whose rates do not go by what was traded before."""

    __slots__ = ()

    @property
    def counts(self) -> VolumeCount | None:
        """None."""
        return None
