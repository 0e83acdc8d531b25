"""Fees of US regulators on shares, which a broker passes on: on sales by value and by share, on all by share."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fees.model import Execution, NoShareOfValue, SameForEveryVolume
from brokerage.domain.models.source import Dated, value_at
from brokerage.domain.money import RATE_ONE, currency_scale, divide
from brokerage.domain.orders.order import Side


@dataclass(frozen=True, slots=True)
class SaleFee(NoShareOfValue, SameForEveryVolume):
    """fee = rate x value of what is sold, by the rate in force at the fill: the SEC's Section 31 fee.

    Raises NotFound (E_PROFILE_TABLE_MISSING) for a sale before the first row.
    """

    table: str
    rows: tuple[Dated[int], ...]

    def charge(self, execution: Execution) -> tuple[int, str]:
        """The fee of a sale; 0 for a purchase."""
        quote = execution.instrument.quote
        if execution.side is Side.BUY:
            return 0, quote
        return divide(execution.notional * value_at(self.rows, execution.at_ns, self.table), RATE_ONE), quote

    def bound(self, instrument: Instrument, notional: int, quantity: int, orders: int = 1) -> int:
        """The dearest rate of any time, as if all were sold."""
        return divide(abs(notional) * max(row.value for row in self.rows), RATE_ONE) + orders


@dataclass(frozen=True, slots=True)
class ShareLevy(NoShareOfValue, SameForEveryVolume):
    """fee = min(rate x shares, cap of a trade): FINRA's activity fee on sales, the audit trail's and clearing's on all.

    `rate` is in 1e-8 of the quote currency a share; a `cap` of 0 is none and holds for each fill.
    """

    rate: int
    cap: int = 0
    sales_only: bool = False

    def charge(self, execution: Execution) -> tuple[int, str]:
        """The fee of the fill; 0 for a purchase where only sales pay."""
        quote = execution.instrument.quote
        if self.sales_only and execution.side is Side.BUY:
            return 0, quote
        owed = self._amount(execution.instrument, execution.quantity)
        return (min(owed, self.cap) if self.cap else owed), quote

    def bound(self, instrument: Instrument, notional: int, quantity: int, orders: int = 1) -> int:
        """Every share charged, as if no cap bound."""
        return self._amount(instrument, quantity) + orders

    def _amount(self, instrument: Instrument, quantity: int) -> int:
        scale = currency_scale(instrument.quote)
        return divide(self.rate * quantity * 10**scale, RATE_ONE * 10**instrument.quantity_scale)
