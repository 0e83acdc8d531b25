"""The values that pass between the decision logic and a venue, simulated or real."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Intent:
    """A market order to send. `quantity` is signed: negative sells. `decided_ns` is the close of the deciding bar."""

    client_order_id: str
    symbol: str
    quantity: Decimal
    decided_ns: int


@dataclass(frozen=True, slots=True)
class Holding:
    """What the account has, in one symbol, at the deciding bar. `expected` is held plus what open orders will bring."""

    expected: Decimal
    equity: Decimal
