"""One execution of an order, as a strategy and its statistics see it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class FillEvent:
    """An execution of one of the strategy's orders. `quantity` is signed: negative for a sale.

    `time_ns` is the venue's time of the trade, `booked_ns` that of the account: the close of the bar that filled it.
    `account` is named where there are several: sales of one close no lots of another.
    """

    symbol: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    time_ns: int
    trade_id: str
    booked_ns: int = 0
    account: str = ""
