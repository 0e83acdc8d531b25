"""What every fee model answers: the fee of one execution, and the most that an order may come to cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill as its fee is asked of it, in scaled integers.

    `filled` and `filled_notional` are what the order had filled before: a minimum is charged once an order, whatever
    number of fills it takes. `volume` is what the account traded in the schedule's period before the order (shares a
    month at the quantity scale, or money in 30 days or a month: the schedule says which).
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


class FeeModel(Protocol):
    """A venue's schedule. Amounts are scaled integers; a fee in base currency is at the instrument's quantity scale."""

    @property
    def rates(self) -> tuple[int, int]:
        """Shares of the notional, maker and taker in 1e-8, below which no fee falls; 0 where there is none."""
        ...

    def charge(self, execution: Execution) -> tuple[int, str]:
        """The fee of an execution and its currency; negative: a rebate."""
        ...

    def bound(self, instrument: Instrument, notional: int, quantity: int, orders: int = 1) -> int:
        """The most that so many orders of a notional and quantity may be charged, in quote currency."""
        ...
