"""How a command node becomes orders: symbol, sizing and lot."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from qmtl.sdk.graph.vertices import FoldNode


class Sizing(Enum):
    """What a target's number means."""

    UNITS = "units"
    EQUITY_FRACTION = "equity_fraction"


@dataclass(frozen=True, slots=True)
class TradeRule:
    """How one command node becomes orders: the symbol, the meaning of its target, and the lot it is cut to."""

    command: FoldNode
    symbol: str
    sizing: Sizing
    lot: Decimal
