"""What a compiled stretch with brackets wrote down, as columns, and as the fills, orders and cancels they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.order import order_id
from qmtl.sdk.execution.compiled.exits import CLOSE, LIST, MARKET, STOP, TARGET, TRAIL
from qmtl.sdk.execution.exits import STOP as STOP_NAME
from qmtl.sdk.execution.exits import TARGET as TARGET_NAME
from qmtl.sdk.execution.exits import TRAIL as TRAIL_NAME
from qmtl.sdk.execution.exits import with_exits
from qmtl.sdk.execution.legs import CLOSING
from qmtl.sdk.execution.planner import Leg, Planner
from qmtl.sdk.execution.port import Cancel, HeldPosition, MarketOrder, SentOrder, order_name
from qmtl.sdk.execution.records.columns import FillColumns
from qmtl.sdk.strategy.bracket import Bracket
from qmtl.sdk.strategy.rules import TradeRule

ENDS = {MARKET: "", CLOSE: CLOSING, STOP: STOP_NAME, TRAIL: TRAIL_NAME, TARGET: TARGET_NAME, LIST: ""}
"""What the name of an order ends with, by its part."""


@dataclass(frozen=True, slots=True, eq=False)
class BracketFills(FillColumns):
    """Fills of market orders and of exits. By row: the part of the order, and its event that the fill is. `decided_ns`
    is the instant that the order is named by: that of its entry for an exit.
    """

    parts: Sequence[int]
    seqs: Sequence[int]

    def trades(self) -> Iterator[str]:
        """The ids of the fills."""
        symbol, values = self.instrument.symbol, zip(self.decided_ns, self.parts, self.seqs, strict=True)
        return (f"{order_id(self.owner, order_name(symbol, at) + ENDS[part])}-{seq}" for at, part, seq in values)


@dataclass(frozen=True, slots=True, eq=False)
class BracketOrders:
    """Entries with their exits, and market orders that close. By row: the signed quantity, the position it is toward,
    the close it was decided at, its part and the price that the decision saw. `sent`: how many orders that are.
    """

    rule: TradeRule
    instrument: Instrument
    quantities: Sequence[int]
    targets: Sequence[int]
    decided_ns: Sequence[int]
    parts: Sequence[int]
    prices: Sequence[float]
    sent: int

    def __len__(self) -> int:
        return len(self.quantities)

    def rows(self) -> list[SentOrder]:
        """The orders."""
        columns = (self.quantities, self.targets, self.decided_ns, self.parts, self.prices)
        return [self._order(*row) for row in zip(*columns, strict=True)]

    def _order(self, quantity: int, target: int, decided_ns: int, part: int, price: float) -> SentOrder:
        symbol, units = self.instrument.symbol, self.instrument.quantity_decimal
        name = order_name(symbol, decided_ns) + ENDS[part]
        order = MarketOrder(name, symbol, units(quantity), decided_ns, units(target), reduce_only=part != LIST)
        if part != LIST:
            return order
        tick = self.instrument.price_decimal(self.instrument.tick)
        held = HeldPosition(Decimal(0), Decimal(0), units(self.instrument.lot), tick)
        leg = Leg(Planner(self.rule), decided_ns, 0.0, price, held)
        return with_exits(leg, order) or order


def cancels_of(
    symbol: str, bracket: Bracket, entered_ns: Sequence[int], decided_ns: Sequence[int], sent: Sequence[int]
) -> list[Cancel]:
    """The cancels of all exits of entries: when those and the cancels were decided, and after how many orders."""
    exits = ((bracket.stop, STOP_NAME), (bracket.trailing, TRAIL_NAME), (bracket.target, TARGET_NAME))
    ends = [end for share, end in exits if share is not None]
    rows = zip(entered_ns, decided_ns, sent, strict=True)
    return [
        Cancel(order_name(symbol, entry_ns) + end, at_ns, before) for entry_ns, at_ns, before in rows for end in ends
    ]
