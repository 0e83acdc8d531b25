"""What a compiled stretch of several symbols wrote down, as columns, and as the fills and orders they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from brokerage.domain.backtest.direct import FILL_SEQ
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.order import Owner, order_id
from qmtl.core.decimals import from_scaled
from qmtl.core.fills import FillEvent
from qmtl.sdk.execution.compiled.several.kernel import CLOSING_ORDER
from qmtl.sdk.execution.legs import CLOSING
from qmtl.sdk.execution.port import MarketOrder, SentOrder, order_name

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Times


@dataclass(frozen=True, slots=True)
class Traded:
    """A symbol by its number in a stretch: `price_unit` is what one unit of its prices is at its price scale."""

    instrument: Instrument
    price_unit: int


@dataclass(frozen=True, slots=True, eq=False)
class SeveralFills:
    """Fills of whole market orders, by row: the number of the symbol, signed quantity, price, fee, the part of the
    order, and when it was decided, made and booked.
    """

    owner: Owner
    traded: Sequence[Traded]
    symbols: Times
    quantities: Times
    prices: Times
    fees: Times
    parts: Times
    decided_ns: Times
    made_ns: Times
    booked_ns: Times

    def __len__(self) -> int:
        return len(self.symbols)

    def rows(self) -> list[FillEvent]:
        """The fills."""
        columns = (self.symbols, self.quantities, self.prices, self.fees, self.parts)
        times = (self.decided_ns, self.made_ns, self.booked_ns)
        return [self._fill(*row) for row in zip(*(one.tolist() for one in (*columns, *times)), strict=True)]

    def _fill(
        self, at: int, quantity: int, price: int, fee: int, part: int, decided_ns: int, made_ns: int, booked_ns: int
    ) -> FillEvent:
        traded = self.traded[at]
        instrument = traded.instrument
        name = _name(instrument.symbol, decided_ns, part)
        return FillEvent(
            instrument.symbol,
            instrument.quantity_decimal(quantity),
            instrument.price_decimal(price * traded.price_unit),
            from_scaled(fee, currency_scale(instrument.quote)),
            instrument.quote,
            made_ns,
            f"{order_id(self.owner, name)}-{FILL_SEQ}",
            booked_ns,
        )


@dataclass(frozen=True, slots=True, eq=False)
class SeveralOrders:
    """Market orders, by row: the number of the symbol, signed quantity, the position it is toward, its part, and the
    close it was decided at.
    """

    traded: Sequence[Traded]
    symbols: Sequence[int]
    quantities: Sequence[int]
    targets: Sequence[int]
    parts: Sequence[int]
    decided_ns: Sequence[int]

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def sent(self) -> int:
        """How many orders that are."""
        return len(self.symbols)

    def rows(self) -> list[SentOrder]:
        """The orders."""
        found: list[SentOrder] = []
        columns = (self.symbols, self.quantities, self.targets, self.parts, self.decided_ns)
        for at, quantity, target, part, decided_ns in zip(*columns, strict=True):
            instrument = self.traded[at].instrument
            name, units = _name(instrument.symbol, decided_ns, part), instrument.quantity_decimal
            found.append(MarketOrder(name, instrument.symbol, units(quantity), decided_ns, units(target)))
        return found


def _name(symbol: str, decided_ns: int, part: int) -> str:
    return order_name(symbol, decided_ns) + (CLOSING if part == CLOSING_ORDER else "")
