"""What a bar does to an order, and why it may do nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from brokerage.domain.orders.events import Liquidity
from qmtl.core.errors import InvalidRequest
from qmtl.core.fast_init import fast_init


class NoFill(Enum):
    """Why a bar did nothing for an order."""

    NOT_YET = "the bar starts before the order was accepted"
    NO_VOLUME = "nothing traded in the bar"
    NOT_REACHED = "the price was not reached"
    FOK_SHORT = "the bar cannot fill the whole order"


@fast_init
@dataclass(frozen=True, slots=True)
class Match:
    """What a bar does to an order: a fill of `quantity` (0: none, `why` says why), perhaps after triggering it.

    `at_open`: it was filled by the bar's first price, moved by slippage or not. `stop` is where a trailing stop stands
    after the bar, `limit` what a trailing stop-limit works at once its stop was reached; None: as before.
    """

    quantity: int
    price: int = 0
    liquidity: Liquidity = Liquidity.TAKER
    triggered: bool = False
    why: NoFill | None = None
    at_open: bool = False
    stop: int | None = None
    limit: int | None = None


NOT_YET = Match(0, why=NoFill.NOT_YET)
NO_VOLUME = Match(0, why=NoFill.NO_VOLUME)
NOT_REACHED = Match(0, why=NoFill.NOT_REACHED)
TRIGGERED_ONLY = Match(0, triggered=True, why=NoFill.NOT_REACHED)


def require_price(price: int | None) -> int:
    """Raises InvalidRequest (PRICE_REQUIRED)."""
    if price is None:
        raise InvalidRequest("E_PRICE_REQUIRED", "the order's type needs a price it does not have")
    return price
