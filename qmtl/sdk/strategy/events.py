"""Events that a running strategy is called with."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum


@dataclass(frozen=True, slots=True)
class Signal:
    """A new value of a decision, at the close of the bar that made it."""

    node: str
    time_ns: int
    value: float


class OrderState(Enum):
    """What has become of an order. DENIED: a rule of ours refused it, REJECTED: the venue did."""

    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DENIED = "denied"


class OrderRole(Enum):
    """What an order of a trade rule is for. MARGIN_CALL: the account has sent it, as equity no longer covers all."""

    TARGET = "target"
    STOP_LOSS = "stop loss"
    TAKE_PROFIT = "take profit"
    TRAILING = "trailing stop"
    QUOTE = "quote"
    MARGIN_CALL = "margin call"


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """A step of one of the strategy's orders. `filled` is the quantity filled so far; `rule` names the rule that denied
    it and `message` is its sentence, or the venue's words.

    An exit waits until its entry fills; it is told of from then on.
    """

    client_order_id: str
    symbol: str
    role: OrderRole
    state: OrderState
    filled: Decimal
    time_ns: int
    rule: str = ""
    message: str = ""
