"""How much risk a world may take, as its policy says and brokerage holds. Amounts are in the account's currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """None is no limit. Positions count with their open orders at their worst; what only reduces is never held up."""

    order_notional_max: Decimal | None = None
    long_notional_max: Decimal | None = None  # of one strategy's position in a symbol
    short_notional_max: Decimal | None = None
    gross_notional_max: Decimal | None = None  # of all positions of the world
    net_notional_max: Decimal | None = None


UNLIMITED = RiskLimits()
LIMIT_NAMES = RiskLimits.__slots__
