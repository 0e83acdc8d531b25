"""What a strategy held at the newest close that an account has come to, as rows for the nodes that read it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

Row = list[float]
_FLAT: Row = [0.0, 0.0, 0.0, 0.0]


@dataclass(frozen=True, slots=True)
class Holding:
    """A position at a close: signed units, average price and open profit, both in quote currency."""

    quantity: Decimal
    average_price: Decimal
    unrealised: Decimal


class Holdings:
    """The rows of PositionState by symbol. All 0 before the first close and while nothing is held."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}

    def row(self, symbol: str) -> Row:
        """Quantity, average price, unrealised profit and bars held at the newest close observed."""
        return list(self._rows.get(symbol, _FLAT))

    def observe(self, symbol: str, held: Holding) -> None:
        """Take the position at the next close of a symbol; each close of its bars is observed once."""
        self.observe_row(symbol, float(held.quantity), float(held.average_price), float(held.unrealised))

    def observe_row(self, symbol: str, quantity: float, average_price: float, unrealised: float) -> None:
        """As `observe`, from the doubles nearest to what is held."""
        if not quantity:
            self._rows.pop(symbol, None)
            return
        before = self._rows.get(symbol, _FLAT)
        bars = before[3] if before[0] * quantity > 0.0 else 0.0
        self._rows[symbol] = [quantity, average_price, unrealised, bars + 1.0]
