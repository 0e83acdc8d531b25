"""Which buying power model an account has."""

from __future__ import annotations

from enum import Enum


class BuyingPower(Enum):
    """CASH: no shorting, buys are paid in full. MARGIN: notional / leverage is held against equity."""

    CASH = "CASH"
    MARGIN = "MARGIN"
